// The pages of the demo provider. They load nothing from anywhere.
import { createHash } from 'node:crypto';

const STYLE = `
:root { color-scheme: light dark; --paper: #f4f2ee; --card: #fff; --ink: #1f1d1a; --soft: #5e5850;
  --line: #d8d2c8; --act: #7a3e00; --note: #fff3d6; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #171513; --card: #221f1c; --ink: #f1ede7; --soft: #b8b0a5; --line: #4a443d;
    --act: #ffb877; --note: #3a2c12; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; padding: 1rem; display: grid; place-items: center;
  background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: min(27rem, 100%); padding: 1.5rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem; }
.demo { margin: 0 0 1.25rem; padding: .5rem .75rem; border-radius: .5rem; background: var(--note); }
h1 { margin: 0 0 .5rem; font-size: 1.375rem; line-height: 1.25; }
p { margin: 0 0 1rem; }
button { display: block; width: 100%; min-height: 3.5rem; margin: 0 0 .625rem; padding: .5rem 1rem;
  border: 2px solid var(--line); border-radius: .5rem; background: none; color: inherit;
  font: inherit; text-align: left; cursor: pointer; overflow-wrap: anywhere; }
button:hover { border-color: var(--act); }
button:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; }
button b { color: var(--act); }
button span { color: var(--soft); }
button.quiet { min-height: 2.75rem; margin: 0; border-color: transparent; text-align: center; }
`;
// Submits the only form of a page that just continues.
const GO_ON = 'document.forms[0].submit();';

const sha = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
// No form-action: browsers apply it to where a form's redirects lead, too.
const POLICY = [
  "default-src 'none'", `style-src ${sha(STYLE)}`, `script-src ${sha(GO_ON)}`, 'img-src data:',
  "base-uri 'none'", "frame-ancestors 'none'",
].join('; ');

const escape = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

function show(ctx, heading, content) {
  ctx.type = 'html';
  ctx.set('Content-Security-Policy', POLICY);
  ctx.set('Cache-Control', 'no-store');
  ctx.body = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Demo identity provider</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<main>
<p class="demo"><strong>Demo identity provider.</strong> It asks for no password. Never use it for
anything real.</p>
<h1>${heading}</h1>
${content}
</main>
</body>
</html>
`;
}

const groupsOf = (person) => [person.groups ?? []].flat().join(', ') || 'no groups';

function button([id, person], focused) {
  return `<button name="login" value="${escape(id)}"${focused ? ' autofocus' : ''}>
<b>Sign in as ${escape(person.name ?? id)}</b> <span>- ${escape(groupsOf(person))}</span></button>`;
}

// `current` has a session here already, is asked again, and may choose another account.
export function loginPage(ctx, { people, current, application }) {
  const first = current ?? people.keys().next().value;
  const buttons = [...people].map((each) => button(each, each[0] === first)).join('\n');
  const known = people.get(current)?.name ?? current;
  const intro = known
    ? `<p>${escape(application)} wants to be sure that it is still you, ${escape(known)}. A real
provider would ask for your password or key now; here a click is enough.</p>`
    : `<p>${escape(application)} asks who you are. Choose whom to play.</p>`;
  show(ctx, known ? 'Is it still you?' : 'Who is signing in?', `${intro}
<form method="post">
${buttons}
<button class="quiet" name="cancel" value="yes">Cancel</button>
</form>`);
}

// Continues automatically if a registered application asked; otherwise a person presses the button.
export function logoutPage(ctx, form, byItself) {
  show(ctx, 'Sign out', `<p>This ends your session at the demo identity provider.</p>
${form}
<input type="hidden" name="logout" value="yes" form="op.logoutForm">
<button form="op.logoutForm" autofocus><b>Sign out</b></button>
${byItself ? `<script>${GO_ON}</script>` : ''}`);
}

export function signedOutPage(ctx) {
  show(ctx, 'You are signed out', '<p>You can close this page.</p>');
}

export function errorPage(ctx, { error, error_description: description }) {
  show(ctx, 'That did not work', `<p>${escape(description ?? error)}</p>
<p>Go back to the application and begin again.</p>
<p><small>${escape(error)}</small></p>`);
}
