// @ts-check
/** The user's id and token, and how to leave. */
import { BASE } from './api.js';
import { copy } from './clipboard.js';
import { button, h, icon, openDialog } from './dom.js';
import { t } from './i18n.js';
import { session } from './session.js';

/** @typedef {import('./session.js').User} User */

/** Shows id and token after the registration: the service cannot show them again. @param {User} user */
export function openKeys(user) {
  const keys = h(
    'dl',
    {},
    ...[h('dt', {}, t('sign-in.id')), h('dd', {}, h('code', {}, String(user.id)))],
    ...[h('dt', {}, t('sign-in.token')), h('dd', {}, h('code', {}, user.token))],
  );
  const dialog = openDialog(t('keys.heading'), h('p', { class: 'lead' }, t('keys.keep')), keys, actions(user));
  dialog.append(h('div', { class: 'row' }, button(t('keys.done'), () => dialog.close(), { kind: 'primary' })));
}

/** @param {User} user */
export function openAccount(user) {
  const forget = () => {
    dialog.close();
    session.forget();
  };
  const note = h('p', { class: 'lead' }, t('account.forget-note'));
  const dialog = openDialog(user.name, h('p', { class: 'meta' }, `${t('sign-in.id')}: ${user.id}`), actions(user), note);
  const buttons = [button(t('account.forget'), forget), button(t('close'), () => dialog.close(), { kind: 'primary' })];
  dialog.append(h('div', { class: 'row' }, ...buttons));
}

/** @param {User} user */
function actions({ id, name, token }) {
  const text = `${t('sign-in.id')}: ${id}\n${t('sign-in.token')}: ${token}\n`;
  const href = URL.createObjectURL(new Blob([`${BASE.href}\n${name}\n${text}`], { type: 'text/plain' }));
  const save = h('a', { class: 'button quiet', href, download: 'pigwav.txt' }, icon('download'), t('keys.save'));
  return h('div', { class: 'row start' }, button(t('keys.copy'), () => copy(text, t('keys.copied')), { icon: 'link' }), save);
}
