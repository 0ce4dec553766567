// @ts-check
/** The listening page: replaces the browser's `<audio>`, which plays without JavaScript, by the page's own player. */
import { call, mp3Url, waveformUrl } from './api.js';
import { h, icon, setIcon } from './dom.js';
import { clock, date, size, t, translatePage } from './i18n.js';
import { readDat } from './peaks.js';
import { player } from './player.js';
import './speed.js';
import './waveform.js';

const find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (document.querySelector(selector));

/** @type {import('./api.js').Recording} */
const recording = JSON.parse(find('main').dataset.recording ?? '');
const title = recording.title || t('untitled');
const waveform = /** @type {import('./waveform.js').Waveform} */ (h('pw-waveform'));
const now = h('span');
const play = h('button', { type: 'button', class: 'play big', onclick: () => player.toggle() }, icon('play'));
const refusal = h('p', { class: 'bad', role: 'alert' });

function build() {
  const download = find('a[download]');
  const paragraph = download.parentElement;
  translatePage();
  download.prepend(icon('download'));
  find('h1').textContent = title;
  find('.meta').textContent = `${date(recording.created_at)} · ${size(recording.bytes)}`;
  const clocks = h('p', { class: 'clocks' }, now, h('span', {}, clock(recording.duration_ms)));
  const controls = h('div', { class: 'controls' }, h('pw-speed'), play, download);
  find('audio').replaceWith(waveform, clocks, controls, refusal);
  paragraph?.remove();
  waveform.set(null, recording.duration_ms);
  waveform.sliderName = t('listen.position');
}

function showState() {
  setIcon(play, player.isPlaying ? 'pause' : 'play');
  play.ariaLabel = t(player.isPlaying ? 'listen.pause' : 'listen.play');
  refusal.textContent = player.hasFailed ? t('listen.broken') : '';
}

function showPosition() {
  waveform.position = player.ms;
  now.textContent = clock(player.ms);
}

async function drawWaveform() {
  const dat = await call(waveformUrl(recording), { token: '' });
  waveform.set(readDat(await dat.arrayBuffer()), recording.duration_ms);
}

build();
player.addEventListener('state', showState);
player.addEventListener('time', showPosition);
waveform.addEventListener('seek', (event) => player.seek(/** @type {CustomEvent<number>} */ (event).detail));
player.load(recording.id, mp3Url(recording), title);
const beginS = Number(new URLSearchParams(location.search).get('t'));
if (beginS > 0) player.seek(beginS * 1000);
showState();
showPosition();
addEventListener('keydown', (event) => {
  if (event.key !== ' ' || event.target !== document.body) return;
  event.preventDefault();
  player.toggle();
});
drawWaveform().catch(() => {}); // older recordings have none: the bars stay flat
