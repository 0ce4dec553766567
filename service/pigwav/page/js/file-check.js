// @ts-check
/** Checks a file before it is sent: the service would refuse it only after it has received much of it. */
import { clock, size } from './i18n.js';
import { Problem } from './problem.js';

const HEAD_BYTES = 512; // that the service looks at, too
const ID3_HEADER_BYTES = 10;
const MAX_CHUNKS = 64;
const PCM_TAGS = [1, 3, 0xfffe]; // integers, floats, extensible: their headers give the length

/** The first bytes of files that people take for a WAV: offset, bytes, and the service's name of the format. */
const FORMATS = /** @type {[number, string, string][]} */ ([
  [4, 'ftypM4', 'm4a'], [4, 'ftyp3g', '3gp'], [4, 'ftypqt', 'mov'], [4, 'ftyp', 'mp4'], [0, 'ID3', 'mp3'],
  [0, '\xff\xfb', 'mp3'], [0, '\xff\xf3', 'mp3'], [0, '\xff\xfa', 'mp3'], [0, '\xff\xf1', 'aac'], [0, '\xff\xf9', 'aac'],
  [0, 'OggS', 'ogg'], [0, 'fLaC', 'flac'], [0, '\x1aE\xdf\xa3', 'matroska'], [0, 'caff', 'caf'], [0, '#!AMR', 'amr'],
  [0, '\x30\x26\xb2\x75', 'wma'], [8, 'AIF', 'aiff'], [0, 'RIFX', 'rifx'], [0, 'riff', 'w64'], [0, '.snd', 'au'],
  [0, 'wvpk', 'wavpack'], [0, 'PK\x03\x04', 'zip'], [0, 'Rar!', 'rar'], [0, '7z\xbc\xaf', '7z'], [0, '%PDF', 'pdf'],
]);

/**
 * Why the service would refuse the file; null if it probably takes it. Reads a few hundred bytes.
 * @param {Blob} file
 * @param {import('./api.js').Limits} limits
 * @returns {Promise<Problem | null>}
 */
export async function checkFile(file, limits) {
  if (!file.size) return new Problem('no-audio');
  const start = await endOfId3(file);
  const head = await text(file, start, HEAD_BYTES);
  if (!/^(RIFF|RF64|BW64)....WAVE/s.test(head)) return notAWav(start ? 'ID3' : head);
  if (file.size > limits.max_upload_bytes) {
    return new Problem('upload-too-large', { status: 413, values: { limit: size(limits.max_upload_bytes) } });
  }
  const seconds = await duration(file, start + 12);
  if (seconds !== null && seconds > limits.max_duration_s + 1) {
    return new Problem('audio-too-long', { values: { limit: clock(limits.max_duration_s * 1000) } });
  }
  return null;
}

/** Where the WAV begins: behind the ID3v2 tags that some programs put in front. @param {Blob} file */
async function endOfId3(file) {
  let at = 0;
  for (;;) {
    const head = await view(file, at, ID3_HEADER_BYTES);
    const bytes = id3Bytes(head);
    if (!bytes) return at;
    at += bytes;
  }
}

/** Bytes of the tag that begins here; 0 if none does. @param {DataView} head */
function id3Bytes(head) {
  if (head.byteLength < ID3_HEADER_BYTES || head.getUint8(0) !== 0x49 || head.getUint16(1) !== 0x4433) return 0;
  const footer = head.getUint8(5) & 0x10 ? ID3_HEADER_BYTES : 0;
  const sevenBits = [6, 7, 8, 9].map((at) => head.getUint8(at));
  if (sevenBits.some((byte) => byte > 0x7f)) return 0;
  return ID3_HEADER_BYTES + footer + sevenBits.reduce((value, byte) => value * 128 + byte, 0);
}

/** @param {string} head */
function notAWav(head) {
  const found = FORMATS.find(([at, bytes]) => head.startsWith(bytes, at))?.[2];
  return new Problem('not-a-wav', { status: 415, document: { found } });
}

/**
 * Seconds of audio in a WAV of PCM; null if only the service can tell.
 * @param {Blob} file
 * @param {number} at the first chunk
 */
async function duration(file, at) {
  let bytesPerSecond = 0;
  for (let chunk = 0; chunk < MAX_CHUNKS; chunk++) {
    const head = await view(file, at, 8 + 16);
    if (head.byteLength < 8) return null;
    const [name, bytes] = [head.getUint32(0), head.getUint32(4, true)];
    if (name === 0x666d7420 && head.byteLength === 24) bytesPerSecond = pcmBytesPerSecond(head); // 'fmt '
    if (name === 0x64617461) { // 'data'; a writer that streams declares 0 or more than there is
      const left = file.size - at - 8;
      return bytesPerSecond ? (bytes && bytes < left ? bytes : left) / bytesPerSecond : null;
    }
    at += 8 + bytes + (bytes % 2);
  }
  return null;
}

/** 0 if the codec is not PCM. @param {DataView} chunk the `fmt ` chunk with its head */
function pcmBytesPerSecond(chunk) {
  const [tag, channels] = [chunk.getUint16(8, true), chunk.getUint16(10, true)];
  const [rate, bits] = [chunk.getUint32(12, true), chunk.getUint16(22, true)];
  return PCM_TAGS.includes(tag) ? rate * channels * Math.ceil(bits / 8) : 0;
}

/** @param {Blob} file @param {number} at @param {number} bytes */
const view = async (file, at, bytes) => new DataView(await file.slice(at, at + bytes).arrayBuffer());

/** Bytes as characters of the same numbers. @param {Blob} file @param {number} at @param {number} bytes */
async function text(file, at, bytes) {
  return String.fromCharCode(...new Uint8Array(await file.slice(at, at + bytes).arrayBuffer()));
}
