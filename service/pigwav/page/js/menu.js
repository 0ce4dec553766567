// @ts-check
/** The one menu of the page. */
import { h, icon } from './dom.js';

/** @typedef {{icon: string, label: string, onclick?: () => void, href?: string}} Item `href`: a file to download */

const MARGIN_PX = 8;

/** @param {HTMLElement} opener the button that the menu belongs to @param {Item[]} items */
export function openMenu(opener, items) {
  const menu = h('div', { popover: 'auto', class: 'menu', role: 'menu', onkeydown: (/** @type {KeyboardEvent} */ e) => moveFocus(menu, e) });
  menu.addEventListener('toggle', (/** @type {ToggleEvent} */ event) => event.newState === 'closed' && menu.remove());
  for (const { icon: name, label, onclick, href } of items) {
    const choose = () => {
      menu.hidePopover();
      onclick?.();
    };
    const kind = href ? { href, download: '' } : { type: 'button' };
    menu.append(h(href ? 'a' : 'button', { role: 'menuitem', onclick: choose, ...kind }, icon(name), label));
  }
  opener.after(menu); // the popover's focus returns to the opener, and Tab goes on from it
  menu.showPopover();
  place(menu, opener);
  menu.firstElementChild.focus();
}

/** Under the opener, or above it if there is no room. @param {HTMLElement} menu @param {HTMLElement} opener */
function place(menu, opener) {
  const { top, bottom, right } = opener.getBoundingClientRect();
  const below = bottom + MARGIN_PX / 2;
  const fits = below + menu.offsetHeight + MARGIN_PX < innerHeight;
  menu.style.left = `${Math.max(MARGIN_PX, right - menu.offsetWidth)}px`;
  menu.style.top = `${fits ? below : Math.max(MARGIN_PX, top - menu.offsetHeight - MARGIN_PX / 2)}px`;
}

/** @param {HTMLElement} menu @param {KeyboardEvent} event */
function moveFocus(menu, event) {
  const items = /** @type {HTMLElement[]} */ ([...menu.children]);
  const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const targets = /** @type {Record<string, number>} */ ({ ArrowDown: (at + 1) % items.length, ArrowUp: at - 1, Home: 0, End: -1 });
  if (event.key === 'Tab') menu.hidePopover();
  if (!(event.key in targets)) return;
  event.preventDefault();
  items.at(targets[event.key])?.focus();
}
