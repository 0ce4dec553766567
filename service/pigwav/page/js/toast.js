// @ts-check
/** Short messages at the bottom of the page. */
import { button, h } from './dom.js';

const SHOWN_MS = 4000;

/**
 * Shows `text`, with a button if there is an `action`. `onexpire` is called once if nobody pressed the button in time.
 * The time stands still while the pointer or the focus is on the message.
 * @param {string} text
 * @param {{action?: string, onaction?: () => void, onexpire?: () => void, ms?: number}} [options]
 * @returns {() => void} ends the message before its time, as if it had expired
 */
export function toast(text, { action, onaction, onexpire, ms = SHOWN_MS } = {}) {
  let timer = 0;
  const stop = () => clearTimeout(timer);
  const expire = () => {
    stop();
    if (!message.isConnected) return;
    message.remove();
    onexpire?.();
  };
  const start = () => {
    stop();
    timer = setTimeout(expire, ms);
  };
  const act = () => {
    stop();
    message.remove();
    onaction?.();
  };
  const listeners = { onpointerenter: stop, onpointerleave: start, onfocusin: stop, onfocusout: start };
  const message = h('div', { class: 'toast', ...listeners }, h('span', {}, text), action && button(action, act, { kind: 'link' }));
  show(message);
  start();
  return expire;
}

/** Above everything, also above a dialog that was opened after the last message. @param {Element} message */
function show(message) {
  const toasts = /** @type {HTMLElement} */ (document.getElementById('toasts'));
  toasts.append(message);
  toasts.togglePopover(false);
  toasts.togglePopover(true);
}
