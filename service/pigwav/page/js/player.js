// @ts-check
/** The page's only audio player: a recording that begins to play ends the one that played. */

const SPEED_KEY = 'pigwav.speed';
export const SPEEDS = [0.75, 1, 1.25, 1.5, 1.75, 2];

/** Sends `state` when it loads, plays, pauses or fails, and `time` when the position changes. */
class Player extends EventTarget {
  #audio = new Audio();
  /** @type {string | null} the loaded recording */
  id = null;

  constructor() {
    super();
    this.#audio.preload = 'metadata';
    this.speed = Number(localStorage.getItem(SPEED_KEY)) || 1;
    for (const kind of ['play', 'pause', 'ended', 'error']) this.#audio.addEventListener(kind, () => this.#send('state'));
    for (const kind of ['timeupdate', 'seeked']) this.#audio.addEventListener(kind, () => this.#send('time'));
    this.#audio.addEventListener('play', () => requestAnimationFrame(this.#frame));
  }

  get isPlaying() {
    return !this.#audio.paused && !this.#audio.ended;
  }

  get ms() {
    return this.#audio.currentTime * 1000;
  }

  get hasFailed() {
    return this.#audio.error !== null;
  }

  get speed() {
    return this.#audio.playbackRate;
  }

  set speed(speed) {
    this.#audio.defaultPlaybackRate = this.#audio.playbackRate = speed; // the default holds for the next recording
    if (speed !== 1) localStorage.setItem(SPEED_KEY, String(speed));
    else localStorage.removeItem(SPEED_KEY);
  }

  /** @param {string} id @param {string} url @param {string} title for the device's own controls */
  load(id, url, title) {
    if (this.id === id) return;
    this.id = id;
    this.#audio.src = url;
    if ('mediaSession' in navigator) navigator.mediaSession.metadata = new MediaMetadata({ title, artist: 'PigWav' });
    this.#send('state');
  }

  toggle() {
    if (this.isPlaying) this.#audio.pause();
    else this.#audio.play().catch(() => this.#send('state'));
  }

  /** @param {number} ms */
  seek(ms) {
    this.#audio.currentTime = ms / 1000;
    this.#send('time');
  }

  unload() {
    this.#audio.pause();
    this.id = null;
    this.#audio.removeAttribute('src');
    this.#send('state');
  }

  /** While it plays, the position moves with every picture; `timeupdate` comes only four times a second. */
  #frame = () => {
    if (!this.isPlaying) return;
    this.#send('time');
    requestAnimationFrame(this.#frame);
  };

  /** @param {'state' | 'time'} kind */
  #send(kind) {
    this.dispatchEvent(new Event(kind));
  }
}

export const player = new Player();
