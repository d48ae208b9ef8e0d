// Back doors for tests and for the demo's curl lines. Only with TEST_HOOKS=1.

async function bodyOf(ctx) {
  let text = '';
  for await (const chunk of ctx.req) text += chunk;
  return text ? JSON.parse(text) : {};
}

// Ends the sessions of one person as the provider itself would: every application gets a
// logout token, and the grants of those sessions are revoked.
async function endSessions(provider, store, name) {
  const told = [];
  const failed = [];
  for (const { jti } of store.sessionsOf(name)) {
    const session = await provider.Session.find(jti);
    for (const [clientId, { sid, grantId }] of Object.entries(session.authorizations ?? {})) {
      const client = await provider.Client.find(clientId);
      await revoke(provider, grantId);
      if (!client.backchannelLogoutUri) continue;
      await client.backchannelLogout(name, sid).then(
        () => told.push(client.backchannelLogoutUri),
        (problem) => failed.push(`${client.backchannelLogoutUri}: ${problem.message}`),
      );
    }
    await session.destroy();
  }
  return { told, failed };
}

async function revoke(provider, grantId) {
  if (!grantId) return;
  const { AccessToken, AuthorizationCode, RefreshToken, Grant } = provider;
  await Promise.all([AccessToken, AuthorizationCode, RefreshToken]
    .map((model) => model.revokeByGrantId(grantId)));
  await Grant.adapter.destroy(grantId);
}

// `state` is what the provider itself reads: { stall: seconds, noRefresh: boolean }.
export function testHooks(provider, store, state) {
  const waiting = new Set();
  const release = () => waiting.forEach((goOn) => goOn());

  const stalled = () => new Promise((resolve) => {
    const goOn = () => { clearTimeout(timer); waiting.delete(goOn); resolve(); };
    const timer = setTimeout(goOn, state.stall * 1000);
    waiting.add(goOn);
  });

  const routes = {
    'PUT users': async (ctx, name) => {
      store.people.set(name, { name, groups: [], ...store.people.get(name), ...await bodyOf(ctx) });
    },
    'DELETE users': async (ctx, name) => { store.people.delete(name); },
    'POST sessions': async (ctx, name) => endSessions(provider, store, name),
    'POST stall': async (ctx) => { state.stall = (await bodyOf(ctx)).seconds; release(); },
    'POST no-refresh': async (ctx) => { state.noRefresh = (await bodyOf(ctx)).on; },
    'PUT rp': async (ctx) => {
      const client = await provider.Client.find('milvus-admin');
      client.backchannelLogoutUri = `${(await bodyOf(ctx)).base}/oidc/backchannel-logout/`;
    },
  };

  return async (ctx, next) => {
    const [, hook, name] = ctx.path.match(/^\/test\/([\w-]+)(?:\/([\w.-]+))?(?:\/end)?$/) ?? [];
    const route = routes[`${ctx.method} ${hook}`];
    if (!route) {
      if (state.stall) await stalled();
      await next();
      return;
    }
    ctx.body = await route(ctx, name) ?? {};
  };
}
