// @ts-check
import { button, h, icon, iconButton, setIcon } from './dom.js';
import { clock, date, t } from './i18n.js';
import { openKept, magnitudesOf, startedAt } from './kept.js';
import { player } from './player.js';
import './waveform.js';

const LONGEST_TITLE = 200;

/**
 * A recording before it is sent: listen, name, send or discard.
 *
 * Events: `title` (detail: the title as far as it is typed), `send` (detail: the title), `discard`.
 */
export class Review extends EventTarget {
  #clock = h('p', { class: 'timer' });
  #play = iconButton('play', t('rec.play'), () => player.toggle(), { class: 'play' });
  #waveform = h('pw-waveform');
  #title = h('input', {
    id: 'recording-title',
    maxlength: LONGEST_TITLE,
    autocomplete: 'off',
    dir: 'auto',
    oninput: () => this.#tell('title'),
  });
  #url = '';
  #name = '';
  #durationMs = 0;

  element = h(
    'div',
    { class: 'review' },
    this.#clock,
    h('div', { class: 'listen' }, this.#play, this.#waveform),
    h(
      'form',
      { onsubmit: (/** @type {Event} */ event) => this.#submit(event) },
      h('label', { for: 'recording-title' }, t('rec.name')),
      this.#title,
      h(
        'div',
        { class: 'row' },
        button(t('rec.discard'), () => this.dispatchEvent(new Event('discard')), { icon: 'trash' }),
        h('button', { class: 'primary' }, icon('send'), t('rec.send')),
      ),
    ),
  );

  constructor() {
    super();
    this.#waveform.sliderName = t('rec.position');
    this.#waveform.addEventListener('seek', (/** @type {CustomEvent} */ { detail }) => player.seek(detail));
  }

  /**
   * @param {number} user
   * @param {string} name
   * @param {string} [title] that its owner has already given it
   */
  async open(user, name, title) {
    this.#name = name;
    this.#clock.textContent = '\u00a0'; // it keeps its height until the length is known
    this.#title.value = title ?? t('rec.default-title', { date: date(startedAt(name)) });
    this.#title.focus();
    this.#title.select();
    const { file, durationMs } = await openKept(user, name);
    if (this.#name !== name) return; // closed in the meantime
    this.#durationMs = durationMs;
    this.#url = URL.createObjectURL(file);
    player.load(name, this.#url, this.#title.value);
    for (const event of ['state', 'time']) player.addEventListener(event, this.#showPlayer);
    this.#showPlayer();
    this.#waveform.set(await magnitudesOf(file), durationMs);
  }

  close() {
    for (const event of ['state', 'time']) player.removeEventListener(event, this.#showPlayer);
    if (player.id === this.#name) player.unload();
    this.#name = '';
    URL.revokeObjectURL(this.#url);
    this.#url = '';
  }

  #showPlayer = () => {
    const began = player.isPlaying || player.ms > 0;
    setIcon(this.#play, player.isPlaying ? 'pause' : 'play');
    this.#play.setAttribute('aria-label', t(player.isPlaying ? 'rec.pause-playing' : 'rec.play'));
    this.#clock.textContent = clock(began ? player.ms : this.#durationMs);
    this.#waveform.position = player.ms;
  };

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    this.#tell('send');
  }

  /** @param {'title' | 'send'} event */
  #tell(event) {
    this.dispatchEvent(new CustomEvent(event, { detail: this.#title.value.trim() }));
  }
}
