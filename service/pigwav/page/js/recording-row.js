// @ts-check
import { getJson, listenUrl, mp3Url } from './api.js';
import { copy } from './clipboard.js';
import { deleteLater } from './deletion.js';
import { openDetails } from './details.js';
import { button, h, icon, iconButton, openDialog, setIcon } from './dom.js';
import { clock, date, has, t } from './i18n.js';
import { openMenu } from './menu.js';
import { player } from './player.js';
import './waveform.js';

/** @typedef {import('./api.js').Recording} Recording */
/**
 * The list that a row is in.
 * @typedef {object} Rows
 * @property {(recording: Recording) => void} hide
 * @property {(recording: Recording) => void} restore
 */

const MAX_TITLE_CHARS = 200;

/** One recording in the list. */
export class RecordingRow {
  #play = h('button', { type: 'button', class: 'play', onclick: () => this.#toggle() }, icon('play'));
  #name = h('a', { class: 'name', dir: 'auto' });
  #time = h('span', { class: 'time' });
  #more = iconButton('more', '', () => this.#openMenu(), { 'aria-haspopup': 'menu' });
  #waveform = /** @type {import('./waveform.js').Waveform} */ (h('pw-waveform'));

  /** @param {Recording} recording @param {Rows} rows @param {number} position in the list, from 1 */
  constructor(recording, rows, position) {
    this.recording = recording;
    this.rows = rows;
    this.element = h('article', { class: 'recording', 'aria-posinset': position, 'aria-setsize': -1 });
    const link = iconButton('link', t('recording.copy'), () => this.#copy(), { class: 'icon-button copy' });
    const what = h('div', { class: 'what' }, this.#name, facts(recording));
    this.element.append(this.#play, what, this.#waveform, this.#time, h('div', { class: 'ends' }, link, this.#more));
    this.#name.href = listenUrl(recording);
    this.#waveform.set(recording.magnitudes ?? null, recording.duration_ms);
    this.#waveform.addEventListener('seek', (event) => this.#seek(/** @type {CustomEvent<number>} */ (event).detail));
    this.#showTitle();
  }

  get title() {
    return this.recording.title || t('untitled');
  }

  get #isCurrent() {
    return player.id === this.recording.id;
  }

  focus() {
    this.#play.focus();
  }

  #showTitle() {
    this.#name.textContent = this.#name.title = this.title;
    this.element.ariaLabel = this.title;
    this.#more.ariaLabel = this.#more.title = t('recording.more', { title: this.title });
    this.showState();
  }

  showState() {
    const isPlaying = this.#isCurrent && player.isPlaying;
    setIcon(this.#play, isPlaying ? 'pause' : 'play');
    this.#play.ariaLabel = t(isPlaying ? 'recording.pause' : 'recording.play', { title: this.title });
    this.element.classList.toggle('current', this.#isCurrent);
    this.#waveform.sliderName = this.#isCurrent ? t('recording.position', { title: this.title }) : null;
    this.showPosition();
  }

  showPosition() {
    const ms = this.#isCurrent ? player.ms : 0;
    this.#waveform.position = ms;
    const text = clock(this.#isCurrent ? ms : this.recording.duration_ms);
    if (this.#time.textContent !== text) this.#time.textContent = text;
  }

  #load() {
    player.load(this.recording.id, mp3Url(this.recording), this.title);
  }

  #toggle() {
    this.#load();
    player.toggle();
  }

  /** @param {number} ms */
  #seek(ms) {
    this.#load();
    player.seek(ms);
    if (!player.isPlaying) player.toggle();
  }

  #copy() {
    copy(listenUrl(this.recording), t('recording.copied'));
  }

  #openMenu() {
    openMenu(this.#more, [
      { icon: 'link', label: t('recording.copy'), onclick: () => this.#copy() },
      { icon: 'download', label: t('recording.download'), href: mp3Url(this.recording) },
      { icon: 'wave', label: t('details.heading'), onclick: () => openDetails(this.recording, this.title) },
      { icon: 'pen', label: t('recording.rename'), onclick: () => this.#openRename() },
      { icon: 'trash', label: t('recording.delete'), onclick: () => this.#delete() },
    ]);
  }

  #openRename() {
    const value = this.recording.title ?? '';
    const input = h('input', { id: 'title', maxlength: MAX_TITLE_CHARS, value, autocomplete: 'off', dir: 'auto' });
    const refusal = h('p', { class: 'bad', role: 'alert' });
    const onsubmit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const json = { title: input.value.trim() || null };
      try {
        const { title } = await getJson(`records/${this.recording.id}`, { method: 'PATCH', json });
        this.recording.title = title;
        this.#showTitle();
        dialog.close();
      } catch (error) {
        refusal.textContent = /** @type {Error} */ (error).message;
      }
    };
    const buttons = h('div', { class: 'row' }, button(t('cancel'), () => dialog.close()), h('button', { class: 'primary' }, t('save')));
    const form = h('form', { onsubmit }, h('label', { for: 'title' }, t('recording.title')), input, refusal, buttons);
    const dialog = openDialog(t('recording.rename'), form);
    input.select();
  }

  #delete() {
    if (this.#isCurrent) player.unload();
    deleteLater(this.recording, this.title, this.rows);
  }
}

/** Date and warnings. @param {Recording} recording */
function facts({ created_at, warnings }) {
  const codes = (warnings ?? []).map(({ code }) => code).filter((code) => has(`warning.${code}`));
  const texts = codes.map((code) => h('span', { class: 'warning' }, ` · ${t(`warning.${code}`)}`));
  return h('span', { class: 'meta' }, h('time', { datetime: created_at }, date(created_at)), ...texts);
}
