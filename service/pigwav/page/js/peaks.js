// @ts-check
/** Waveforms as the service sends them, and the bars that are drawn of them. */

/** @typedef {Uint8Array} Magnitudes of equal parts of the recording, 0 to 128 */

const HEADER_BYTES = 24;
const QUIETEST = 2; // a louder bar is stretched to the full height; below is silence

/** BBC audiowaveform's `.dat`, version 2, 8 bits, one channel. @param {ArrayBuffer} dat @returns {Magnitudes} */
export function readDat(dat) {
  const pairs = new Int8Array(dat, HEADER_BYTES);
  return Uint8Array.from({ length: pairs.length / 2 }, (_, i) => Math.max(-pairs[2 * i], pairs[2 * i + 1]));
}

/** `peaks` of a row in a list. @param {string} base64 @returns {Magnitudes} */
export const readOverview = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

/**
 * The heights of `count` bars, 0 to 1. A bar is the mean of its part: the maximum would make every bar of a long
 * recording equally high. The loudest bar has the height 1.
 * @param {Magnitudes} magnitudes
 * @param {number} count
 */
export function bars(magnitudes, count) {
  const means = Float32Array.from({ length: count }, (_, i) => {
    const from = Math.floor((i * magnitudes.length) / count);
    const to = Math.max(from + 1, Math.floor(((i + 1) * magnitudes.length) / count));
    let sum = 0;
    for (let k = from; k < to; k++) sum += magnitudes[k] ?? 0;
    return sum / (to - from);
  });
  const loudest = means.reduce((a, b) => Math.max(a, b), 0);
  return loudest > QUIETEST ? means.map((mean) => mean / loudest) : means.fill(0);
}
