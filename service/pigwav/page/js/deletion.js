// @ts-check
import { call } from './api.js';
import { t } from './i18n.js';
import { Problem } from './problem.js';
import { session } from './session.js';
import { toast } from './toast.js';

const UNDO_MS = 6000;

/**
 * Takes the recording out of the list at once, and deletes it when it can no longer be undone: after some seconds, or
 * when the page is left.
 * @param {import('./api.js').Recording} recording
 * @param {string} title
 * @param {import('./recording-row.js').Rows} rows
 */
export function deleteLater(recording, title, rows) {
  const token = session.user?.token; // the user may be forgotten before the recording is deleted
  const deleteNow = async () => {
    removeEventListener('pagehide', expire);
    try {
      await call(`records/${recording.id}`, { method: 'DELETE', token, keepalive: true });
    } catch (error) {
      const isGone = error instanceof Problem && error.status === 404;
      if (isGone) return;
      rows.restore(recording);
      toast(/** @type {Error} */ (error).message);
    }
  };
  const undo = () => {
    removeEventListener('pagehide', expire);
    rows.restore(recording);
  };
  rows.hide(recording);
  const options = { action: t('undo'), onaction: undo, onexpire: deleteNow, ms: UNDO_MS };
  const expire = toast(t('recording.deleted', { title }), options);
  addEventListener('pagehide', expire);
}
