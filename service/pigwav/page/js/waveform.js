// @ts-check
import { clock, t } from './i18n.js';
import { bars } from './peaks.js';

const BAR_PX = 3;
const GAP_PX = 2;
const STEP_MS = 5000;
const PAGE_MS = 60_000;

// One observer for all waveforms: to ask an element for its size would make the browser lay out the page each time.
const sizes = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) /** @type {Waveform} */ (target).resize(contentRect);
});
const visibility = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) /** @type {Waveform} */ (target).show(isIntersecting);
  },
  { rootMargin: '200px' },
);

/** @typedef {{ahead: string, played: string, pointed: string}} Colours */
/** @type {Colours | null} read once for each colour scheme */
let colours = null;
const scheme = matchMedia('(prefers-color-scheme: dark)');
scheme.addEventListener('change', () => (colours = null));

/** @returns {Colours} */
function palette() {
  if (colours) return colours;
  const style = getComputedStyle(document.documentElement);
  const colour = (/** @type {string} */ name) => style.getPropertyValue(name);
  return (colours = { ahead: colour('--wave'), played: colour('--accent'), pointed: colour('--accent-soft') });
}

/** `<pw-waveform>`: draws a recording, and sends `seek` with the position in ms when a person chooses one. */
export class Waveform extends HTMLElement {
  #canvas = document.createElement('canvas');
  /** @type {import('./peaks.js').Magnitudes | null} */
  #magnitudes = null;
  #heights = new Float32Array();
  #ms = 0;
  #durationMs = 0;
  #isVisible = false;
  #pointerPx = -1;
  #width = 0;
  #height = 0;

  connectedCallback() {
    this.append(this.#canvas);
    sizes.observe(this);
    visibility.observe(this);
    scheme.addEventListener('change', this.#draw);
    this.addEventListener('pointerdown', this.#press);
    this.addEventListener('pointermove', this.#move);
    this.addEventListener('pointerleave', this.#leave);
    this.addEventListener('keydown', this.#key);
  }

  disconnectedCallback() {
    sizes.unobserve(this);
    visibility.unobserve(this);
    scheme.removeEventListener('change', this.#draw);
  }

  /** @param {import('./peaks.js').Magnitudes | null} magnitudes @param {number} durationMs */
  set(magnitudes, durationMs) {
    this.#magnitudes = magnitudes;
    this.#durationMs = durationMs;
    this.#reduce();
  }

  /** @param {number} ms the position up to which the recording was played */
  set position(ms) {
    if (ms === this.#ms) return;
    const isOtherSecond = Math.floor(ms / 1000) !== Math.floor(this.#ms / 1000);
    this.#ms = ms;
    if (isOtherSecond) this.#describe(); // it comes with every picture
    this.#draw();
  }

  /** Makes it a slider for keyboard and screen reader, under this name; null makes it a picture. @param {string | null} name */
  set sliderName(name) {
    this.role = name === null ? null : 'slider';
    this.ariaLabel = name;
    this.ariaHidden = name === null ? 'true' : null;
    if (name === null) this.removeAttribute('tabindex');
    else this.tabIndex = 0;
    this.#describe();
  }

  #describe() {
    const isSlider = this.role === 'slider';
    const seconds = (/** @type {number} */ ms) => (isSlider ? String(Math.floor(ms / 1000)) : null);
    this.ariaValueMin = seconds(0);
    this.ariaValueMax = seconds(this.#durationMs);
    this.ariaValueNow = seconds(this.#ms);
    this.ariaValueText = isSlider ? t('position.of', { at: clock(this.#ms), total: clock(this.#durationMs) }) : null;
  }

  /** @param {DOMRectReadOnly} size */
  resize({ width, height }) {
    [this.#width, this.#height] = [width, height];
    this.#reduce();
  }

  /** @param {boolean} isVisible */
  show(isVisible) {
    this.#isVisible = isVisible;
    if (isVisible) this.#draw();
    else this.#canvas.width = this.#canvas.height = 0; // frees the bitmap
  }

  /** Computes the bars: once for each width, not for each picture. */
  #reduce() {
    const count = Math.max(1, Math.floor((this.#width + GAP_PX) / (BAR_PX + GAP_PX)));
    this.#heights = this.#magnitudes ? bars(this.#magnitudes, count) : new Float32Array(count);
    this.#draw();
  }

  #draw = () => {
    if (!this.#isVisible || !this.#width || !this.#height) return;
    const context = this.#cleanContext();
    const { ahead, played, pointed } = palette();
    const playedPx = this.#durationMs ? (this.#ms / this.#durationMs) * this.#width : 0;
    const pointedPx = Math.max(playedPx, this.#pointerPx);
    this.#paint(context, played, 0, playedPx);
    this.#paint(context, pointed, playedPx, pointedPx);
    this.#paint(context, ahead, pointedPx, this.#width);
  };

  #cleanContext() {
    const ratio = devicePixelRatio || 1;
    const context = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext('2d'));
    this.#canvas.width = Math.round(this.#width * ratio); // also clears it
    this.#canvas.height = Math.round(this.#height * ratio);
    context.scale(ratio, ratio);
    return context;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {string} colour
   * @param {number} from px
   * @param {number} to px
   */
  #paint(context, colour, from, to) {
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, this.#height);
    context.clip();
    context.beginPath();
    this.#heights.forEach((height, i) => {
      const barPx = Math.max(BAR_PX, height * this.#height);
      context.roundRect(i * (BAR_PX + GAP_PX), (this.#height - barPx) / 2, BAR_PX, barPx, BAR_PX / 2);
    });
    context.fillStyle = colour;
    context.fill();
    context.restore();
  }

  /** @param {number} ms */
  #seek(ms) {
    this.dispatchEvent(new CustomEvent('seek', { detail: Math.min(Math.max(ms, 0), this.#durationMs) }));
  }

  #press = (/** @type {PointerEvent} */ event) => {
    if (event.button !== 0) return;
    this.setPointerCapture(event.pointerId);
    this.#seek((event.offsetX / this.#width) * this.#durationMs);
  };

  #move = (/** @type {PointerEvent} */ event) => {
    if (this.hasPointerCapture(event.pointerId)) this.#seek((event.offsetX / this.#width) * this.#durationMs);
    if (event.pointerType !== 'mouse') return;
    this.#pointerPx = event.offsetX;
    this.#draw();
  };

  #leave = () => {
    this.#pointerPx = -1;
    this.#draw();
  };

  #key = (/** @type {KeyboardEvent} */ event) => {
    if (this.role !== 'slider') return;
    /** @type {Record<string, number>} */
    const positions = {
      ArrowLeft: this.#ms - STEP_MS,
      ArrowDown: this.#ms - STEP_MS,
      ArrowRight: this.#ms + STEP_MS,
      ArrowUp: this.#ms + STEP_MS,
      PageDown: this.#ms - PAGE_MS,
      PageUp: this.#ms + PAGE_MS,
      Home: 0,
      End: this.#durationMs,
    };
    if (!(event.key in positions)) return;
    event.preventDefault();
    this.#seek(positions[event.key]);
  };
}
customElements.define('pw-waveform', Waveform);
