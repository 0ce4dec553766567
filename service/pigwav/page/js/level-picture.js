// @ts-check
import { h } from './dom.js';

const BAR_PX = 3;
const STEP_PX = 5;
const MOST_BARS = 200;

/** The last seconds of a recording as bars that move to the left. Its element is `canvas`. */
export class LevelPicture {
  /** @type {HTMLCanvasElement} */
  canvas = h('canvas', { class: 'levels', 'aria-hidden': 'true' });
  /** @type {number[]} */
  #peaks = [];
  #size = new ResizeObserver(([{ contentRect }]) => this.#resize(contentRect.width, contentRect.height));
  #width = 0;
  #height = 0;
  #colours = { bar: '', empty: '' };

  constructor() {
    this.#size.observe(this.canvas);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', () => this.#resize(this.#width, this.#height));
  }

  clear() {
    this.#peaks = [];
    this.#draw();
  }

  /** @param {number} peak from 0 to 1 */
  add(peak) {
    this.#peaks.push(peak);
    if (this.#peaks.length > MOST_BARS) this.#peaks.shift();
    this.#draw();
  }

  /**
   * Sizes and colours are read here and not in each draw, because reading them makes the browser lay out the page.
   * @param {number} width
   * @param {number} height
   */
  #resize(width, height) {
    const style = getComputedStyle(this.canvas);
    this.#colours = { bar: style.getPropertyValue('--accent'), empty: style.getPropertyValue('--line') };
    [this.#width, this.#height] = [width, height];
    this.canvas.width = Math.round(width * devicePixelRatio);
    this.canvas.height = Math.round(height * devicePixelRatio);
    this.#draw();
  }

  #draw() {
    const graphics = this.canvas.getContext('2d');
    if (!graphics || !this.#width) return;
    graphics.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    graphics.clearRect(0, 0, this.#width, this.#height);
    const bars = Math.floor(this.#width / STEP_PX);
    const first = this.#peaks.length - bars;
    for (let i = 0; i < bars; i++) this.#bar(graphics, i * STEP_PX, this.#peaks[first + i]);
  }

  /**
   * @param {CanvasRenderingContext2D} graphics
   * @param {number} x
   * @param {number | undefined} peak
   */
  #bar(graphics, x, peak) {
    const height = Math.max(BAR_PX, (peak ?? 0) * this.#height);
    graphics.fillStyle = peak === undefined ? this.#colours.empty : this.#colours.bar;
    graphics.beginPath();
    graphics.roundRect(x, (this.#height - height) / 2, BAR_PX, height, BAR_PX / 2);
    graphics.fill();
  }
}
