// @ts-check
import { button, h, iconButton } from './dom.js';
import { clock, size, t } from './i18n.js';
import { uploads } from './uploads.js';

/** @typedef {import('./uploads.js').Upload} Upload */

const DONE_SHOWN_MS = 4000;

/** `<pw-uploads>`: what is on its way, and what failed. */
class UploadList extends HTMLElement {
  /** @type {Map<Upload, UploadRow>} */
  #rows = new Map();
  #list = h('ul', { class: 'plain' });

  connectedCallback() {
    this.append(h('h2', { class: 'label' }, t('upload.heading')), this.#list);
    uploads.addEventListener('change', this.#show);
    for (const upload of uploads.all) this.#update(upload);
    this.hidden = !this.#rows.size;
  }

  disconnectedCallback() {
    uploads.removeEventListener('change', this.#show);
  }

  #show = (/** @type {Event} */ event) => {
    this.#update(/** @type {CustomEvent<Upload>} */ (event).detail);
    this.hidden = !this.#rows.size;
  };

  /** @param {Upload} upload */
  #update(upload) {
    const row = this.#rows.get(upload);
    if (!uploads.all.includes(upload)) {
      row?.element.remove();
      this.#rows.delete(upload);
    } else if (row) {
      row.update();
    } else {
      const added = new UploadRow(upload);
      this.#rows.set(upload, added);
      this.#list.append(added.element);
    }
  }
}
customElements.define('pw-uploads', UploadList);

class UploadRow {
  #shownState = '';
  #progress;
  #status = h('span', { class: 'meta' });
  #buttons = h('span', { class: 'ends' });

  /** @param {Upload} upload */
  constructor(upload) {
    this.upload = upload;
    this.name = upload.title || upload.name;
    this.#progress = h('progress', { max: 1, 'aria-label': t('upload.progress', { name: this.name }) });
    const name = h('bdi', { class: 'name', title: this.name }, this.name);
    this.element = h('li', { class: 'upload' }, name, this.#buttons, this.#progress, this.#status);
    this.update();
  }

  update() {
    const { state, sentBytes, file } = this.upload;
    this.#progress.value = file.size ? sentBytes / file.size : 0;
    this.#status.textContent = statusOf(this.upload);
    if (state === this.#shownState) return;
    this.#shownState = state;
    this.element.dataset.state = state;
    this.#progress.hidden = !['sending', 'finishing'].includes(state);
    // An alert is read out; progress is not, because it changes all the time.
    this.#status.role = state === 'failed' ? 'alert' : null;
    this.#buttons.replaceChildren(...this.#buttonsFor());
    if (state === 'done') setTimeout(() => uploads.remove(this.upload), DONE_SHOWN_MS);
  }

  #buttonsFor() {
    const { upload, name } = this;
    const cancel = iconButton('x', t('upload.cancel', { name }), () => uploads.cancel(upload));
    const remove = iconButton('x', t('upload.remove', { name }), () => uploads.remove(upload));
    const retry = button(t('retry'), () => uploads.retry(upload), { kind: 'small' });
    if (upload.state === 'pausing') return [retry, cancel];
    if (upload.state === 'cancelled') return [retry, remove];
    if (upload.state === 'failed') return upload.problem?.mayPass ? [retry, remove] : [remove];
    return upload.state === 'done' ? [] : [cancel];
  }
}

/** @param {Upload} upload */
function statusOf({ state, problem, sentBytes, bytesPerS, leftS, file }) {
  if (state === 'failed') return problem?.message;
  if (state === 'pausing') return `${problem?.message} ${t('upload.pausing')}`;
  if (state !== 'sending' || !bytesPerS) return t(`upload.${state}`, { total: size(file.size) });
  const left = clock(Math.ceil(leftS) * 1000);
  return t('upload.progressing', { sent: size(sentBytes), total: size(file.size), speed: size(bytesPerS), left });
}
