// @ts-check
/** The page's texts, numbers and dates in the reader's language: Russian or English. */
import en from '../i18n/en.js';

/** @typedef {Record<string, string>} Texts */

const LANGUAGES = ['en', 'ru'];

/** The first of the reader's languages that the page speaks. */
export const lang = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => LANGUAGES.includes(tag)) ?? 'en';

/** @type {Texts} */
const texts = { ...en, ...(lang === 'ru' && (await import('../i18n/ru.js')).default) };
document.documentElement.lang = lang;

/** With the reader's country, which decides on the order of day and month and on 12 or 24 hours. */
const locale = navigator.languages.find((tag) => tag.slice(0, 2) === lang) ?? lang;

/**
 * The text of `key`, with `{name}` replaced by the value of that name.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''));
}

/** Adds the texts of a part of the page that is loaded later. @param {Texts} more */
export const addTexts = (more) => Object.assign(texts, more);

/** @param {string} key */
export const has = (key) => key in texts;

/** Fills in the elements that a static page marks with `data-text="key"`. */
export function translatePage() {
  for (const element of document.querySelectorAll('[data-text]')) {
    element.textContent = t(/** @type {HTMLElement} */ (element).dataset.text ?? '');
  }
}

const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' });
const dayAndYear = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' });
const timeOfDay = new Intl.DateTimeFormat(locale, { hour: 'numeric', minute: '2-digit' });

/** Day and time; the year only if it is not the current one. @param {string} iso */
export function date(iso) {
  const moment = new Date(iso);
  const isThisYear = moment.getFullYear() === new Date().getFullYear();
  return `${(isThisYear ? day : dayAndYear).format(moment)}, ${timeOfDay.format(moment)}`;
}

/** Minutes and seconds, with hours if there are any: 1:05 or 1:00:05. @param {number} ms */
export function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const parts = hours ? [hours, minutes, seconds % 60] : [minutes, seconds % 60];
  return parts.map((part, i) => (i ? String(part).padStart(2, '0') : part)).join(':');
}

/** @param {number} value @param {Intl.NumberFormatOptions} [options] */
export const number = (value, options) => new Intl.NumberFormat(locale, options).format(value);

/** @param {number} bytes */
export function size(bytes) {
  const [value, unit] =
    bytes >= 1e9 ? [bytes / 1e9, 'gigabyte'] : bytes >= 1e6 ? [bytes / 1e6, 'megabyte'] : [bytes / 1e3, 'kilobyte'];
  return number(value, { style: 'unit', unit, maximumFractionDigits: value < 10 ? 1 : 0 });
}
