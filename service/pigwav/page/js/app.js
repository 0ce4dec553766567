// @ts-check
/** The page: signs in, or shows uploads and recordings. */
import { openAccount } from './account.js';
import { button, h, icon } from './dom.js';
import { t, translatePage } from './i18n.js';
import { player } from './player.js';
import { session } from './session.js';
import { toast } from './toast.js';
import { Upload, uploads } from './uploads.js';
import './recordings.js';
import './sign-in.js';
import './upload-list.js';

const main = /** @type {HTMLElement} */ (document.querySelector('main'));
const account = /** @type {HTMLElement} */ (document.getElementById('account'));
const skip = /** @type {HTMLElement} */ (document.querySelector('.skip'));

/** Shows what belongs to the signed-in user, or the form to sign in. */
function show() {
  const { user } = session;
  player.unload();
  skip.hidden = !user;
  main.classList.toggle('narrow', !user);
  if (!user) {
    account.replaceChildren();
    main.replaceChildren(h('pw-sign-in'));
    return;
  }
  account.replaceChildren(button(user.name, () => openAccount(user), { kind: 'quiet small', icon: 'user' }));
  const recorder = h('pw-record');
  main.replaceChildren(adding(recorder), recorder, h('pw-uploads'), h('pw-recordings'));
}

/** The area from which recordings are added. @param {import('./record-dialog.js').RecordDialog} recorder */
function adding(recorder) {
  const accept = '.wav,.wave,audio/wav,audio/x-wav,audio/vnd.wave';
  const onchange = () => {
    upload(input.files);
    input.value = ''; // so that the same file can be chosen again
  };
  const input = h('input', { type: 'file', accept, multiple: true, hidden: true, onchange });
  const choose = button(t('add.choose'), () => input.click(), { kind: 'primary', icon: 'up' });
  const open = () => loadRecorder().then(() => recorder.open(), () => toast(t('error.offline')));
  const record = button(t('add.record'), open, { icon: 'dot' });
  const words = [h('span', { class: 'for-mouse' }, t('add.drop')), h('span', { class: 'for-touch' }, t('add.touch'))];
  const hint = h('p', { class: 'hint' }, icon('wave'), ...words);
  const buttons = h('div', { class: 'row' }, choose, record);
  return h('section', { class: 'add card', 'aria-label': t('add.label') }, hint, buttons, input);
}

/** The recorder comes after the page, because the page can be used before it is there. */
const loadRecorder = () => import('./record-dialog.js');

/** @param {FileList | null | undefined} files */
function upload(files) {
  for (const file of files ?? []) uploads.add(new Upload(file, file.name));
}

/** Files may be dropped anywhere on the page. @param {DragEvent} event */
function isDrop(event) {
  return session.user !== null && Boolean(event.dataTransfer?.types.includes('Files'));
}

/** @param {boolean} isOver */
const highlight = (isOver) => document.body.classList.toggle('dropping', isOver);

addEventListener('dragover', (event) => {
  if (!isDrop(event)) return;
  event.preventDefault();
  highlight(true);
});
addEventListener('dragleave', (event) => {
  if (!event.relatedTarget) highlight(false); // it has left the window
});
addEventListener('drop', (event) => {
  if (!isDrop(event)) return;
  event.preventDefault();
  highlight(false);
  upload(event.dataTransfer?.files);
});

translatePage();
session.addEventListener('change', show);
show();
loadRecorder().catch(() => {}); // it is tried again when somebody wants to record
