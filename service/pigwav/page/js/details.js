// @ts-check
import { button, h, openDialog } from './dom.js';
import { clock, date, has, lang, number, size, t } from './i18n.js';

/** @typedef {import('./api.js').Recording} Recording */

/** Everything that the service has measured. @param {Recording} recording @param {string} title */
export function openDetails(recording, title) {
  const list = h('dl', { class: 'facts' });
  for (const [key, value] of factsOf(recording)) list.append(h('dt', {}, t(`details.${key}`)), h('dd', {}, value));
  const warnings = (recording.warnings ?? []).map((warning) => h('li', {}, textOf(warning)));
  const dialog = openDialog(t('details.heading'), h('p', { class: 'meta', dir: 'auto' }, title), list);
  if (warnings.length) dialog.append(h('h3', {}, t('details.warnings')), h('ul', {}, ...warnings));
  dialog.append(h('div', { class: 'row' }, button(t('close'), () => dialog.close(), { kind: 'primary' })));
}

/** @param {Recording} recording @returns {[string, string][]} */
function factsOf({ created_at, duration_ms, bytes, bitrate_kbps, sample_rate_hz, channels, peak_dbfs, levels }) {
  const loudness = levels ? measured(levels.loudness_lufs, 'LUFS', t('details.too-quiet')) : t('details.unmeasured');
  return [
    ['created', date(created_at)],
    ['duration', clock(duration_ms)],
    ['size', size(bytes)],
    ['format', `MP3, ${number(bitrate_kbps)} kbit/s, ${number(sample_rate_hz / 1000)} kHz, ${t(`details.channels.${channels}`)}`],
    ['loudness', loudness],
    ['peak', measured(peak_dbfs, 'dBFS', t('details.unmeasured'))],
    ['silence', levels ? number(levels.silent_share, { style: 'percent' }) : t('details.unmeasured')],
  ];
}

/** @param {number | null} value @param {string} unit @param {string} otherwise */
const measured = (value, unit, otherwise) => (value === null ? otherwise : `${number(value, { maximumFractionDigits: 1 })} ${unit}`);

/** The service's sentences are in English. @param {import('./api.js').Warning} warning */
const textOf = ({ code, detail }) => (lang === 'en' || !has(`warning.${code}`) ? detail : t(`warning.${code}`));
