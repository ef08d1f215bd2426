const KEY = 'mlora-token';

/** The token of this tab: from the address that the server printed, which is taken out of the address bar, or from before. */
export const readToken = (): string | null => {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given !== null) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, '', location.pathname);
  }
  return sessionStorage.getItem(KEY);
};

export const keepToken = (token: string): void => sessionStorage.setItem(KEY, token);

export const dropToken = (): void => sessionStorage.removeItem(KEY);

/** A form that asks for the token; nothing of it is sent but the token with each request. */
export const askForToken = (main: HTMLElement, reason: string, onToken: (token: string) => void): void => {
  main.innerHTML = `<form class="sign-in"><label>Token of this server (file <code>token</code> in its state folder)
<input type="password" autocomplete="off" required></label><button>Show the jobs</button><p class="error" role="alert"></p></form>`;
  const form = main.querySelector('form')!;
  const input = form.querySelector('input')!;
  form.querySelector('p')!.textContent = reason;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    onToken(input.value.trim());
  });
  input.focus();
};
