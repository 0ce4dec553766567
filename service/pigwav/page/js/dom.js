// @ts-check
/** Builds elements. Text goes in as text nodes, so nothing here can become markup. */

/** @typedef {Node | string | null | false | undefined} Child */

/**
 * A new element. `on…` properties are listeners, `null` and `false` are left out, `true` is an empty attribute.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...Child} children
 * @returns {any}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value == null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) if (child != null && child !== false) element.append(child);
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';
/** @param {string} name a symbol of icons.svg, which every page contains: a file could not be had without a connection */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(document.createElementNS(SVG, 'use'));
  setIcon(svg, name);
  return svg;
}

/** @param {Element} parent of the icon, or the icon itself @param {string} name */
export function setIcon(parent, name) {
  parent.querySelector('use')?.setAttribute('href', `#${name}`);
}

/**
 * @param {string} label what the button says, in the page's language
 * @param {() => void} onclick
 * @param {{kind?: string, icon?: string}} [look]
 * @returns {HTMLButtonElement}
 */
export function button(label, onclick, { kind = 'quiet', icon: name } = {}) {
  return h('button', { type: 'button', class: kind, onclick }, name && icon(name), h('span', {}, label));
}

/**
 * A button that shows only an icon; `label` is its name for screen readers and as a tooltip.
 * @param {string} name
 * @param {string} label
 * @param {() => void} onclick
 * @param {Record<string, any>} [more]
 * @returns {HTMLButtonElement}
 */
export function iconButton(name, label, onclick, more = {}) {
  const properties = { type: 'button', class: 'icon-button', 'aria-label': label, title: label, onclick, ...more };
  return h('button', properties, icon(name));
}

/**
 * Shows a modal dialog and removes it when it is closed. The focus returns to the element that had it.
 * @param {string} title
 * @param {...Child} children
 * @returns {HTMLDialogElement}
 */
export function openDialog(title, ...children) {
  const heading = h('h2', { id: 'dialog-title' }, title);
  const dialog = h('dialog', { 'aria-labelledby': 'dialog-title', onclose: () => dialog.remove() }, heading, ...children);
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
