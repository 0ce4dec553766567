// @ts-check
import { t } from './i18n.js';
import { toast } from './toast.js';

/** Copies `text` and says `done`. @param {string} text @param {string} done */
export async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    toast(done);
  } catch {
    prompt(t('copy.by-hand'), text); // over plain http, or forbidden: browsers give no clipboard to the page
  }
}
