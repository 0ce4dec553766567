// @ts-check
import { call, getJson, waveformUrl } from './api.js';
import { button, h } from './dom.js';
import { t } from './i18n.js';
import { readDat, readOverview } from './peaks.js';
import { player } from './player.js';
import { RecordingRow } from './recording-row.js';
import { Search } from './search.js';
import { uploads } from './uploads.js';
import './speed.js';

const PAGE_ROWS = 50;
const LOAD_AHEAD = '1200px';
const KEEP_AROUND = '1500px';

/** @typedef {import('./api.js').Recording} Recording */
/** @typedef {import('./recording-row.js').Rows} Rows */
/**
 * A part of the list: a page as it was loaded, or one new recording.
 * @typedef {object} Chunk
 * @property {HTMLElement} element
 * @property {Recording[]} items
 * @property {boolean} isFilled
 */

/**
 * `<pw-recordings>`: the user's recordings, newest first, loaded while the page is scrolled; all, or those whose titles
 * have the words of a search. Rows exist only near the window. A chunk that is far away is an empty box of the same
 * height.
 * @implements {Rows}
 */
class Recordings extends HTMLElement {
  #heading = h('h1', { id: 'recordings', tabindex: -1 }, t('list.heading'));
  #list = h('div', { role: 'feed', 'aria-label': t('list.heading'), hidden: true });
  #end = h('p', { class: 'end', role: 'status' });
  #search = /** @type {Search} */ (h('pw-search', { hidden: true }));
  /** @type {Chunk[]} in the order of the list */
  #chunks = [];
  /** @type {Map<string, RecordingRow>} the rows that exist, by the recording's id */
  #rows = new Map();
  /** Recordings that were deleted a moment ago. @type {Set<string>} */
  #deleted = new Set();
  /** @type {string | null} the cursor of the next page */
  #next = null;
  /** The page that is being loaded. @type {AbortController | null} */
  #loading = null;
  /** Whether the list is that of an earlier search, shown until the new one has arrived. */
  #isOutdated = false;
  #removed = new AbortController();

  #loadAhead = new IntersectionObserver(
    // Entries are in the order of time: only the last one says what is now.
    (entries) => entries.at(-1)?.isIntersecting && this.#next !== null && this.#load(),
    { rootMargin: LOAD_AHEAD },
  );
  #nearby = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const chunk = this.#chunks.find(({ element }) => element === target);
        if (chunk && isIntersecting) this.#fill(chunk);
        else if (chunk) this.#empty(chunk);
      }
    },
    { rootMargin: KEEP_AROUND },
  );

  connectedCallback() {
    this.append(h('div', { class: 'list-head' }, this.#heading, this.#search, h('pw-speed')), this.#list, this.#end);
    const { signal } = this.#removed;
    uploads.addEventListener('stored', this.#addStored, { signal });
    player.addEventListener('state', () => this.#rows.forEach((row) => row.showState()), { signal });
    player.addEventListener('time', () => this.#rows.get(player.id ?? '')?.showPosition(), { signal });
    this.#search.addEventListener('words', this.#loadAnew);
    this.#loadAhead.observe(this.#end);
    this.#load();
  }

  disconnectedCallback() {
    this.#removed.abort();
    this.#loading?.abort();
    this.#loadAhead.disconnect();
    this.#nearby.disconnect();
  }

  async #load() {
    if (this.#loading) return;
    const { signal } = (this.#loading = new AbortController());
    this.#end.textContent = t('list.loading');
    const query = new URLSearchParams({ limit: String(PAGE_ROWS), peaks: '1' });
    if (this.#search.words) query.set('q', this.#search.words);
    if (this.#next) query.set('cursor', this.#next);
    try {
      const page = /** @type {import('./api.js').Page} */ (await getJson(`records?${query}`, { signal }));
      if (signal.aborted) return;
      if (this.#isOutdated) this.#removeAll();
      const known = new Set(this.#chunks.flatMap(({ items }) => items.map(({ id }) => id)));
      this.#next = page.next;
      for (const item of page.items) item.magnitudes = item.peaks ? readOverview(item.peaks) : null;
      this.#append(page.items.filter(({ id }) => !known.has(id)));
      this.#showEnd();
      this.#loadAhead.unobserve(this.#end); // asks again whether the end is still in sight
      this.#loadAhead.observe(this.#end);
    } catch (error) {
      if (signal.aborted) return;
      const retry = button(t('retry'), () => this.#load(), { kind: 'small' });
      this.#end.replaceChildren(/** @type {Error} */ (error).message, ' ', retry);
    } finally {
      if (this.#loading?.signal === signal) this.#loading = null;
    }
  }

  #loadAnew = () => {
    this.#loading?.abort();
    this.#loading = null;
    this.#next = null;
    this.#isOutdated = true;
    this.#load();
  };

  #removeAll() {
    this.#isOutdated = false;
    this.#nearby.disconnect();
    this.#rows.clear();
    this.#chunks = [];
    this.#list.replaceChildren();
  }

  #addStored = async (/** @type {Event} */ event) => {
    const { recording } = /** @type {CustomEvent<import('./uploads.js').Upload>} */ (event).detail;
    if (!recording) return;
    recording.magnitudes = await waveformOf(recording);
    if (this.#search.words) return this.#loadAnew(); // only the service knows whether the search finds it
    if (this.#chunks.some(({ items }) => items.some(({ id }) => id === recording.id))) return; // loaded meanwhile
    const chunk = newChunk([recording]);
    this.#chunks.unshift(chunk);
    this.#list.prepend(chunk.element);
    this.#fill(chunk);
    this.#nearby.observe(chunk.element);
    this.#showEnd();
  };

  /** @param {Recording[]} items */
  #append(items) {
    if (!items.length) return;
    const chunk = newChunk(items);
    this.#chunks.push(chunk);
    this.#list.append(chunk.element);
    this.#fill(chunk);
    this.#nearby.observe(chunk.element);
  }

  /** @param {Chunk} chunk */
  #fill(chunk) {
    if (chunk.isFilled) return;
    chunk.isFilled = true;
    chunk.element.style.height = '';
    const before = this.#chunks.slice(0, this.#chunks.indexOf(chunk)).reduce((sum, { items }) => sum + items.length, 0);
    chunk.items.forEach((recording, i) => {
      if (this.#deleted.has(recording.id)) return;
      const row = new RecordingRow(recording, this, before + i + 1);
      this.#rows.set(recording.id, row);
      chunk.element.append(row.element);
    });
  }

  /** @param {Chunk} chunk */
  #empty(chunk) {
    if (!chunk.isFilled || chunk.element.contains(document.activeElement)) return;
    chunk.element.style.height = `${chunk.element.offsetHeight}px`;
    this.#clear(chunk);
  }

  /** @param {Chunk} chunk */
  #clear(chunk) {
    chunk.isFilled = false;
    chunk.element.replaceChildren();
    for (const { id } of chunk.items) this.#rows.delete(id);
  }

  /** Takes a recording out of the list. @param {Recording} recording */
  hide({ id }) {
    const row = this.#rows.get(id);
    const neighbour = row?.element.nextElementSibling ?? row?.element.previousElementSibling;
    this.#deleted.add(id);
    this.#rows.delete(id);
    row?.element.remove();
    /** @type {HTMLElement} */ (neighbour?.querySelector('.play') ?? this.#heading).focus();
    this.#showEnd();
  }

  /** Puts it back. @param {Recording} recording */
  restore({ id }) {
    this.#deleted.delete(id);
    const chunk = this.#chunks.find(({ items }) => items.some((item) => item.id === id));
    if (!chunk) return;
    this.#clear(chunk);
    this.#fill(chunk);
    this.#showEnd();
    this.#rows.get(id)?.focus();
  }

  /** Says under the list whether there is more. */
  #showEnd() {
    const isEmpty = this.#chunks.every(({ items }) => items.every(({ id }) => this.#deleted.has(id)));
    this.#list.hidden = isEmpty; // a feed without an article is a fault to screen readers
    this.#search.hidden = isEmpty && !this.#search.words;
    const ending = isEmpty ? t(this.#search.words ? 'list.nothing' : 'list.empty') : '';
    this.#end.textContent = this.#next !== null ? t('list.loading') : ending;
  }
}
customElements.define('pw-recordings', Recordings);

/** Null if the recording has none, or it cannot be had now. @param {Recording} recording */
async function waveformOf(recording) {
  try {
    return readDat(await (await call(waveformUrl(recording))).arrayBuffer());
  } catch {
    return null;
  }
}

/** @param {Recording[]} items @returns {Chunk} */
const newChunk = (items) => ({ element: h('div'), items, isFilled: false });
