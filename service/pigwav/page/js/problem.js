// @ts-check
/** Refusals, by the service or by the page's own checks. */
import { has, t } from './i18n.js';

/** Statuses after which the same request probably succeeds later; 0: no answer. */
const TEMPORARY = [0, 408, 429, 502, 503, 504, 507];

/**
 * @typedef {object} Document a problem document (RFC 9457) of the service
 * @property {string} [code]
 * @property {string} [title]
 * @property {string} [detail]
 * @property {string} [found] the format of a body that is not a WAV
 */

/** `message` is a sentence for people, in the page's language if it has one for the code. */
export class Problem extends Error {
  /**
   * @param {string} code
   * @param {{status?: number, values?: Record<string, string | number>, document?: Document, retryAfterS?: number}} [known]
   */
  constructor(code, { status = 422, values, document, retryAfterS } = {}) {
    super(sentence(code, { seconds: retryAfterS ?? '', ...values }, document));
    this.code = code;
    this.status = status;
    this.retryAfterS = retryAfterS;
  }

  /** Whether to try again without asking anybody. */
  get isTemporary() {
    return TEMPORARY.includes(this.status) || this.code === 'upload-in-progress';
  }

  /** Whether to try again can help at all. */
  get mayPass() {
    return this.isTemporary || this.status >= 500;
  }

  /** The service did not answer. */
  static offline() {
    return new Problem('offline', { status: 0 });
  }

  /**
   * @param {number} status
   * @param {string} body
   * @param {string | null} retryAfter the header, in seconds
   */
  static of(status, body, retryAfter) {
    const document = parsed(body);
    const retryAfterS = Number(retryAfter) || undefined;
    return new Problem(document.code ?? `http-${status}`, { status, document, retryAfterS });
  }
}

/** A proxy answers with a page of its own. @param {string} body @returns {Document} */
function parsed(body) {
  try {
    return Object(JSON.parse(body));
  } catch {
    return {};
  }
}

/**
 * @param {string} code
 * @param {Record<string, string | number>} values
 * @param {Document} [document]
 */
function sentence(code, values, { found, detail, title } = {}) {
  if (found && has(`format.${found}`)) return t('error.other-format', { format: t(`format.${found}`) });
  if (has(`error.${code}`)) return t(`error.${code}`, values);
  return detail ?? title ?? t('error.unknown', { code });
}
