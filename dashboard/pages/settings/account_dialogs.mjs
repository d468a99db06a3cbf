// The two questions of users and tokens: your password once more, and have you kept what is shown only now.

import { useState } from "preact/hooks";
import { Dialog } from "#app/components/dialog.mjs";
import { Icon } from "#app/components/icon.mjs";
import { html } from "#app/html.mjs";
import { attempt, known, made, waiting } from "./attempt.mjs";

function PasswordDialog() {
  const [given, setGiven] = useState({ password: "", totp: "" });
  const wish = /** @type {{path: string, body: any, fault: string}} */ (waiting.value);
  const close = () => (waiting.value = null);
  const set = (/** @type {string} */ name) => (/** @type {any} */ event) => setGiven({ ...given, [name]: event.target.value });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    attempt(wish.path, { ...wish.body, ...given });
  };
  const actions = html`
    <button type="button" class="button" onClick=${close}>Cancel</button>
    <button type="submit" form="password-form" class="button button-primary" disabled=${!given.password}>Go on</button>
  `;
  return html`<${Dialog} title="Your password, once more" onClose=${close} actions=${actions}>
    <p>So that nobody who finds this page open can let others in.</p>
    <form id="password-form" onSubmit=${submit}>
      <label class="field"><span>Password</span>
        <input class="input" type="password" autocomplete="current-password" required value=${given.password} onInput=${set("password")} />
      </label>
      <label class="field"><span>One-time code, if set up</span>
        <input class="input" inputmode="numeric" autocomplete="one-time-code" maxlength="8" value=${given.totp} onInput=${set("totp")} />
      </label>
    </form>
    ${wish.fault && html`<p class="notice notice-bad" role="alert">${wish.fault}</p>`}
  <//>`;
}

/** @param {{label: string, text: string}} props */
function Shown({ label, text }) {
  const [copied, setCopied] = useState(false);
  const copy = () => navigator.clipboard?.writeText(text).then(() => setCopied(true), () => setCopied(false));
  return html`<div>
    <p class="label">${label}</p>
    <div class="shown-once">
      <pre class="command" tabindex="0">${text}</pre>
      ${navigator.clipboard && html`<button type="button" class="button" onClick=${copy}>
        <${Icon} name="copy" />${copied ? "Copied" : "Copy"}
      </button>`}
    </div>
  </div>`;
}

function MadeDialog() {
  const { name, token, password, totp_secret: totp } = /** @type {any} */ (made.value);
  const close = () => (made.value = null);
  const actions = html`<button type="button" class="button button-primary" onClick=${close}>I have kept it</button>`;
  return html`<${Dialog} title=${token ? `Token ${name}` : `User ${name}`} wide onClose=${close} actions=${actions}>
    <p><strong>This is shown only now.</strong> Only a hash of it is kept; when it is lost, make another.</p>
    ${token && html`<${Shown} label="Token" text=${token} />`}
    ${password && html`<${Shown} label="Password" text=${password} />`}
    ${totp && html`<${Shown} label="Secret for one-time codes" text=${totp} />`}
  <//>`;
}

export const AccountDialogs = () => html`
  ${waiting.value && known.value && html`<${PasswordDialog} />`}
  ${made.value && html`<${MadeDialog} />`}
`;
