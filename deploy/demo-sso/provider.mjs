// An OpenID provider for the demo and for tests. It listens to this machine only, and asks for no
// password.
//
//   CLIENT_SECRET=... node provider.mjs [PORT]
//
// RP_BASE       where Milvus Admin is, e.g. http://127.0.0.1:8000 (several: comma-separated; the
//               first one gets the logout tokens)
// PROXY_BASE    where Apache with mod_auth_openidc is (client `apache`, the same secret)
// KEY_FILE      keeps the signing key, so that a restart keeps it; made when missing
// STATE_FILE    keeps people, sessions and tokens over a restart
// TEST_HOOKS=1  the addresses under /test/ (test-hooks.mjs)
// ANY_LOOPBACK=1  redirects may lead to any port of this machine, and to Django's `testserver`
import { createHash, generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

import { interactionPolicy, Provider } from 'oidc-provider';

import { errorPage, loginPage, logoutPage, signedOutPage } from './pages.mjs';
import { openStore } from './store.mjs';
import { testHooks } from './test-hooks.mjs';

const { env } = process;
const port = Number(process.argv[2] || 9400);
const issuer = `http://127.0.0.1:${port}`;
const bases = (env.RP_BASE || 'http://127.0.0.1:8000').split(',').map((base) => base.trim());
const proxyBase = env.PROXY_BASE || 'http://127.0.0.1:8080';
const SCOPES = ['openid', 'profile', 'email', 'groups', 'offline_access'];
if (!env.CLIENT_SECRET) {
  console.error('Set CLIENT_SECRET.');
  process.exit(2);
}

const store = openStore(env.STATE_FILE);
const state = { stall: 0, noRefresh: false };

// --- people and keys ---------------------------------------------------------------------

function signingKey(file) {
  if (file && existsSync(file)) return JSON.parse(readFileSync(file, 'utf8'));
  const made = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const jwk = made.export({ format: 'jwk' });
  const kid = createHash('sha256').update(jwk.n).digest('base64url').slice(0, 16);
  const key = { ...jwk, kid, alg: 'RS256', use: 'sig' };
  if (file) writeFileSync(file, JSON.stringify(key), { mode: 0o600 });
  return key;
}

// `userinfo` of a person replaces claims there only: providers are known to differ between both.
function findAccount(ctx, id) {
  const person = store.people.get(id);
  if (!person) return undefined;
  const { userinfo, ...claims } = person;
  const common = { sub: id, preferred_username: id, email: `${id}@example.com`, email_verified: true };
  return {
    accountId: id,
    claims: (use) => ({ ...common, ...claims, ...(use === 'userinfo' ? userinfo : undefined) }),
  };
}

const key = signingKey(env.KEY_FILE);

// --- the applications ----------------------------------------------------------------------------

const application = (id, name, rest) => ({
  client_id: id,
  client_name: name,
  client_secret: env.CLIENT_SECRET,
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  require_auth_time: true,
  ...rest,
});
const clients = [
  application('milvus-admin', 'Milvus Admin', {
    redirect_uris: bases.map((base) => `${base}/oidc/callback/`),
    post_logout_redirect_uris: bases.map((base) => `${base}/signed-out/`),
    backchannel_logout_uri: `${bases[0]}/oidc/backchannel-logout/`,
    backchannel_logout_session_required: true,
  }),
  application('apache', 'Apache', {
    redirect_uris: [`${proxyBase}/oidc-callback`],
    post_logout_redirect_uris: [`${proxyBase}/`],
  }),
];

// --- the provider --------------------------------------------------------------------------------

// A removed person whose browser still has a session is asked to sign in.
const policy = interactionPolicy.base();
policy.get('login').checks.add(new interactionPolicy.Check(
  'account_gone',
  'End-User authentication is required',
  'login_required',
  (ctx) => Boolean(ctx.oidc.session.accountId && !ctx.oidc.account),
));

// No consent page: applications get what they request.
async function loadExistingGrant(ctx) {
  const { client, session } = ctx.oidc;
  const known = await provider.Grant.find(session.grantIdFor(client.clientId));
  const who = { clientId: client.clientId, accountId: session.accountId };
  const grant = known ?? new provider.Grant(who);
  grant.addOIDCScope(SCOPES.join(' '));
  await grant.save();
  return grant;
}

const provider = new Provider(issuer, {
  adapter: store.Adapter,
  clients,
  findAccount,
  loadExistingGrant,
  jwks: { keys: [key] },
  cookies: { keys: [createHash('sha256').update(key.d).digest('hex')] },
  scopes: SCOPES,
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username'],
    email: ['email', 'email_verified'],
    groups: ['groups', 'realm_access'],
  },
  conformIdTokenClaims: false, // the claims are in the ID token, too
  pkce: { required: () => true },
  issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token') && !state.noRefresh,
  rotateRefreshToken: true, // strict: reusing one revokes them all
  interactions: { policy, url: (ctx, { uid }) => `/interaction/${uid}` },
  features: {
    devInteractions: { enabled: false }, // they load a font from elsewhere
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx, form) => logoutPage(ctx, form, Boolean(ctx.oidc.client)),
      postLogoutSuccessSource: signedOutPage,
    },
  },
  renderError: errorPage,
  ttl: {
    AccessToken: 300, AuthorizationCode: 60, Grant: 86400, IdToken: 300, Interaction: 600,
    RefreshToken: 86400, Session: 86400,
  },
  // The library's own dispatcher refuses loopback addresses; all addresses of the demo are loopback.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
});

if (env.ANY_LOOPBACK === '1') {
  const allowed = (value, registered) => {
    const { protocol, hostname, pathname } = new URL(value);
    if (registered.includes(value)) return true;
    return protocol === 'http:' && ['127.0.0.1', 'localhost', 'testserver'].includes(hostname)
      && registered.some((uri) => new URL(uri).pathname === pathname);
  };
  Object.assign(provider.Client.prototype, {
    redirectUriAllowed(value) { return allowed(value, this.redirectUris); },
    postLogoutRedirectUriAllowed(value) { return allowed(value, this.postLogoutRedirectUris); },
  });
}

// --- the login page ------------------------------------------------------------------------------

async function form(ctx) {
  let text = '';
  for await (const chunk of ctx.req) text += chunk;
  return new URLSearchParams(text);
}

function resultOf(answer) {
  if (answer.has('cancel')) {
    return { error: 'access_denied', error_description: 'The person chose to cancel' };
  }
  return { login: { accountId: answer.get('login'), remember: false } };
}

async function interaction(ctx) {
  const { prompt, params, session } = await provider.interactionDetails(ctx.req, ctx.res);
  const answer = ctx.method === 'POST' ? await form(ctx) : undefined;
  let result;
  if (prompt.name === 'consent') result = { consent: {} };
  else if (answer?.has('cancel') || store.people.has(answer?.get('login'))) result = resultOf(answer);
  if (!result) {
    const { clientName } = await provider.Client.find(params.client_id);
    const current = session?.accountId ?? params.login_hint;
    loginPage(ctx, { people: store.people, current, application: clientName });
    return;
  }
  const more = { mergeWithLastSubmission: prompt.name === 'consent' };
  ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result, more));
  ctx.status = 303;
}

if (env.TEST_HOOKS === '1') provider.use(testHooks(provider, store, state));
provider.use(async (ctx, next) => {
  if (!/^\/interaction\/[\w-]+$/.test(ctx.path)) {
    await next();
    return;
  }
  try {
    await interaction(ctx);
  } catch (problem) {
    ctx.status = problem.status ?? 500;
    errorPage(ctx, { error: problem.error ?? 'server_error', ...problem });
  }
});
provider.on('server_error', (ctx, problem) => console.error(problem));

const server = provider.listen(port, '127.0.0.1', () => console.log(`issuer ${issuer}`));
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
  process.once(signal, () => { store.save(); process.exit(0); });
}
server.on('error', (problem) => { console.error(problem.message); process.exit(1); });
