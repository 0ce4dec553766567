// @ts-check
/** The signed-in user. The token is kept in localStorage, because the service cannot show it a second time. */

/** @typedef {{id: number, name: string, token: string}} User */

const KEY = 'pigwav.user';

/** Sends `change` when the user signs in or is forgotten, in this tab or in another one. */
class Session extends EventTarget {
  constructor() {
    super();
    addEventListener('storage', ({ key }) => {
      if (key === KEY || key === null) this.dispatchEvent(new Event('change'));
    });
  }

  /** @returns {User | null} */
  get user() {
    try {
      return JSON.parse(localStorage.getItem(KEY) ?? 'null');
    } catch {
      return null; // not written by this page
    }
  }

  /** @param {User} user */
  signIn({ id, name, token }) {
    localStorage.setItem(KEY, JSON.stringify({ id, name, token }));
    this.dispatchEvent(new Event('change'));
  }

  /** Removes everything that the page keeps about the user on this device. The recordings stay on the service. */
  forget() {
    for (const key of Object.keys(localStorage)) if (key.startsWith('pigwav.')) localStorage.removeItem(key);
    this.dispatchEvent(new Event('change'));
  }
}

export const session = new Session();
