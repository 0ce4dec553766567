// @ts-check
/** Headers of WAV files of 16 bit mono PCM (Microsoft's RIFF; EBU Tech 3306 for RF64). */

export const HEADER_BYTES = 80;
export const SAMPLE_BYTES = 2;

const RIFF_LARGEST = 0xffffffff;
const DS64_BYTES = 28;
const FMT_BYTES = 16;
const PCM = 1;
const RATE_AT = 60;

/**
 * The first bytes of a WAV with `dataBytes` of audio. Beyond 4 GiB it is RF64.
 *
 * It has the same length for every size: the place of RF64's `ds64` holds a `JUNK` chunk until it is needed, so that a
 * file that grows needs only a new header (EBU Tech 3306, 3.5).
 * @param {number} rate samples per second
 * @param {number} dataBytes
 */
export function wavHeader(rate, dataBytes) {
  const riffBytes = HEADER_BYTES - 8 + dataBytes;
  const rf64 = riffBytes > RIFF_LARGEST;
  const writer = new Writer(HEADER_BYTES);
  writer.name(rf64 ? 'RF64' : 'RIFF').uint32(rf64 ? RIFF_LARGEST : riffBytes).name('WAVE');
  writer.name(rf64 ? 'ds64' : 'JUNK').uint32(DS64_BYTES);
  writer.uint64(rf64 ? riffBytes : 0).uint64(rf64 ? dataBytes : 0);
  writer.uint64(rf64 ? dataBytes / SAMPLE_BYTES : 0).uint32(0);
  writer.name('fmt ').uint32(FMT_BYTES).uint16(PCM).uint16(1).uint32(rate);
  writer.uint32(rate * SAMPLE_BYTES).uint16(SAMPLE_BYTES).uint16(8 * SAMPLE_BYTES);
  writer.name('data').uint32(rf64 ? RIFF_LARGEST : dataBytes);
  return writer.bytes;
}

/**
 * The samples per second that a header of `wavHeader` says.
 * @param {ArrayBuffer} header at least HEADER_BYTES
 */
export const rateOf = (header) => new DataView(header).getUint32(RATE_AT, true);

/** Writes little-endian numbers one after the other. */
class Writer {
  /** @param {number} size in bytes */
  constructor(size) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
    this.at = 0;
  }

  /** @param {string} fourLetters */
  name(fourLetters) {
    for (const letter of fourLetters) this.view.setUint8(this.at++, letter.charCodeAt(0));
    return this;
  }

  /** @param {number} value */
  uint16(value) {
    this.view.setUint16(this.at, value, true);
    this.at += 2;
    return this;
  }

  /** @param {number} value */
  uint32(value) {
    this.view.setUint32(this.at, value, true);
    this.at += 4;
    return this;
  }

  /** @param {number} value */
  uint64(value) {
    this.view.setBigUint64(this.at, BigInt(value), true);
    this.at += 8;
    return this;
  }
}
