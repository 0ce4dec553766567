// @ts-check
import { h } from './dom.js';
import { number, t } from './i18n.js';
import { player, SPEEDS } from './player.js';

/** `<pw-speed>`: how fast the player plays. */
class Speed extends HTMLElement {
  connectedCallback() {
    const options = SPEEDS.map((speed) => h('option', { value: speed, selected: speed === player.speed }, `${number(speed)}×`));
    const choose = (/** @type {Event} */ event) => {
      player.speed = Number(/** @type {HTMLSelectElement} */ (event.target).value);
    };
    this.replaceChildren(h('select', { 'aria-label': t('speed'), title: t('speed'), onchange: choose }, ...options));
  }
}
customElements.define('pw-speed', Speed);
