// @ts-check
import { openKeys } from './account.js';
import { getJson, limits } from './api.js';
import { button, h } from './dom.js';
import { t } from './i18n.js';
import { Problem } from './problem.js';
import { session } from './session.js';

/** `<pw-sign-in>`: registers a new user, or takes the id and the token of one. */
class SignIn extends HTMLElement {
  async connectedCallback() {
    this.#showRegister();
    const { registration } = await limits().catch(() => ({ registration: 'open' }));
    if (registration === 'closed') this.#showSignIn({ isClosed: true });
  }

  #showRegister() {
    const name = input('name', { maxlength: 100, autocomplete: 'nickname' });
    const submit = async () => {
      const user = await getJson('users', { method: 'POST', json: { name: name.value }, token: null });
      session.signIn(user);
      openKeys(user);
    };
    const other = button(t('sign-in.have-token'), () => this.#showSignIn({ isClosed: false }), { kind: 'link' });
    this.#show(t('sign-in.lead'), form(submit, t('sign-in.register'), label('name'), name), other);
    name.focus();
  }

  /** @param {{isClosed: boolean}} registration */
  #showSignIn({ isClosed }) {
    const id = input('id', { inputmode: 'numeric', pattern: '[0-9]+', autocomplete: 'username' });
    const token = input('token', { type: 'password', autocomplete: 'current-password' });
    const submit = async () => {
      const user = await getJson('users/me', { token: token.value.trim() });
      if (String(user.id) !== id.value.trim()) throw new Problem('not-authenticated', { status: 401 });
      session.signIn({ ...user, token: token.value.trim() });
    };
    const fields = [label('id'), id, label('token'), token];
    const other = !isClosed && button(t('sign-in.new-name'), () => this.#showRegister(), { kind: 'link' });
    this.#show(t(isClosed ? 'sign-in.closed' : 'sign-in.lead-token'), form(submit, t('sign-in.enter'), ...fields), other);
    id.focus();
  }

  /** @param {string} lead @param {...import('./dom.js').Child} children */
  #show(lead, ...children) {
    this.replaceChildren(h('h1', {}, t('sign-in.heading')), h('p', { class: 'lead' }, lead));
    for (const child of children) if (child) this.append(child);
  }
}
customElements.define('pw-sign-in', SignIn);

/** @param {string} id @param {Record<string, unknown>} more @returns {HTMLInputElement} */
const input = (id, more) => h('input', { id, name: id, required: true, spellcheck: 'false', ...more });

/** @param {string} id of its input */
const label = (id) => h('label', { for: id }, t(`sign-in.${id}`));

/**
 * A form that shows the problem if `submit` throws one.
 * @param {() => Promise<void>} submit
 * @param {string} name of its button
 * @param {...Node} fields
 */
function form(submit, name, ...fields) {
  const refusal = h('p', { class: 'bad', role: 'alert' });
  const onsubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    refusal.textContent = '';
    await submit().catch((error) => (refusal.textContent = error.message));
  };
  return h('form', { class: 'card', onsubmit }, ...fields, refusal, h('button', { class: 'primary wide' }, name));
}
