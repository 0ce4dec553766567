// @ts-check
import { h, icon } from './dom.js';
import { t } from './i18n.js';

const PAUSE_MS = 250;
const MAX_CHARS = 200;

/** `<pw-search>`: a field for words of titles. It sends `words` when its user pauses, and at once after Enter. */
export class Search extends HTMLElement {
  #timer = 0;
  #input = h('input', {
    type: 'search',
    maxlength: MAX_CHARS,
    autocomplete: 'off',
    dir: 'auto',
    enterkeyhint: 'search',
    placeholder: t('list.search'),
    'aria-label': t('list.search'),
    oninput: () => this.#wait(PAUSE_MS),
    onkeydown: (/** @type {KeyboardEvent} */ { key }) => key === 'Enter' && this.#wait(0),
  });
  /** The words as they were sent. */
  words = '';

  connectedCallback() {
    this.replaceChildren(icon('search'), this.#input);
  }

  /** @param {number} ms */
  #wait(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#send(), ms);
  }

  #send() {
    const words = this.#input.value.trim();
    if (words === this.words) return;
    this.words = words;
    this.dispatchEvent(new Event('words'));
  }
}
customElements.define('pw-search', Search);
