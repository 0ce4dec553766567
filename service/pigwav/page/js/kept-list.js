// @ts-check
import { button, h, icon } from './dom.js';
import { clock, date, t } from './i18n.js';
import { claim, claimedNames, discardKept, isClaimedHere, isEmpty, isFree, keptChanges, keptNames, openKept, startedAt } from './kept.js';
import { outbox } from './outbox.js';
import { session } from './session.js';

/** @typedef {'free' | 'waiting' | 'elsewhere'} Where */

/**
 * Recordings that are on this device and not on the service. Hidden if there are none. Event `open` (detail: the name)
 * if the user wants to see one.
 */
class KeptList extends HTMLElement {
  #list = h('ul', { class: 'plain' });
  #draws = Promise.resolve();
  /** Names of the recordings in other tabs that this list waits for. @type {Set<string>} */
  #awaited = new Set();

  connectedCallback() {
    this.hidden = true;
    this.replaceChildren(h('h2', { class: 'label' }, t('kept.title')), this.#list);
    for (const source of [keptChanges, outbox]) source.addEventListener('change', this.show);
    document.addEventListener('visibilitychange', this.show);
    this.show();
  }

  disconnectedCallback() {
    for (const source of [keptChanges, outbox]) source.removeEventListener('change', this.show);
    document.removeEventListener('visibilitychange', this.show);
  }

  /** One after the other, so that an older look never overwrites a newer one. */
  show = () => {
    this.#draws = this.#draws.then(() => this.#show()).catch(() => {});
  };

  async #show() {
    const user = session.user?.id;
    if (user === undefined) return;
    const names = await keptNames(user);
    const held = names.length ? await claimedNames() : new Set();
    const rows = [];
    for (const name of names) {
      const where = whereIs(name, held);
      if (where === 'free' && (await droppedIfEmpty(user, name))) continue;
      if (where === 'elsewhere') this.#showWhenFree(user, name);
      if (where) rows.push(await this.#row(user, name, where));
    }
    this.hidden = !rows.length;
    this.#list.replaceChildren(...rows);
  }

  /**
   * A tab that was closed or killed has told nobody, but its lock has ended.
   * @param {number} user
   * @param {string} name
   */
  async #showWhenFree(user, name) {
    if (this.#awaited.has(name)) return;
    this.#awaited.add(name);
    await isFree(user, name);
    this.#awaited.delete(name);
    this.show();
  }

  /**
   * @param {number} user
   * @param {string} name
   * @param {Where} where
   */
  async #row(user, name, where) {
    const title = outbox.entry(name)?.title || t('rec.default-title', { date: date(startedAt(name)) });
    const open = button(t('kept.open'), () => this.dispatchEvent(new CustomEvent('open', { detail: name })), { kind: 'small' });
    open.setAttribute('aria-label', t('kept.open-named', { title }));
    const words = h('span', { class: 'words' }, h('span', { class: 'name' }, title), h('span', { class: 'meta' }, t(`kept.${where}`)));
    const length = where !== 'elsewhere' && h('span', { class: 'time' }, clock((await openKept(user, name)).durationMs));
    return h('li', { class: 'kept' }, icon('mic'), words, length, where === 'free' && open);
  }
}
customElements.define('pw-kept', KeptList);

/**
 * Null: the dialog of this tab has it, or its uploads show it.
 * @param {string} name
 * @param {Set<string>} held
 * @returns {Where | null}
 */
function whereIs(name, held) {
  if (isClaimedHere(name)) return outbox.isWaiting(name) ? 'waiting' : null;
  return held.has(name) ? 'elsewhere' : 'free';
}

/**
 * @param {number} user
 * @param {string} name
 */
async function droppedIfEmpty(user, name) {
  if (!(await isEmpty(user, name))) return false;
  const recording = await claim(user, name);
  if (!recording) return false; // it has just begun in another tab
  const empty = await isEmpty(user, name);
  if (empty) await discardKept(user, name);
  recording.release();
  return empty;
}
