// The provider's state: sessions, grants and tokens in one map, and the people.
// With a file, save() stores everything, and the next start continues from it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const PEOPLE = {
  ada: { name: 'Ada Osei', groups: ['ml-platform'] },
  vera: { name: 'Vera Lind', groups: ['ml-readers'] },
  aldo: { name: 'Aldo Conti', groups: ['audit'] },
};

export function openStore(file) {
  const before = file && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  const people = new Map(Object.entries(before.people ?? PEOPLE));
  const entries = new Map(before.entries ?? []);

  const read = (key) => {
    const entry = entries.get(key);
    if (entry?.until < Date.now()) entries.delete(key);
    return entries.get(key)?.payload;
  };
  const of = (model) => [...entries.keys()]
    .filter((key) => key.startsWith(`${model}:`) && read(key))
    .map((key) => [key, read(key)]);

  // The seven calls that oidc-provider makes to whatever stores its objects.
  class Adapter {
    constructor(model) { this.model = model; }

    key(id) { return `${this.model}:${id}`; }

    async upsert(id, payload, expiresIn) {
      const until = expiresIn ? Date.now() + expiresIn * 1000 : undefined;
      entries.set(this.key(id), { payload, until });
    }

    async find(id) { return read(this.key(id)); }

    async findByUid(uid) { return of(this.model).find(([, payload]) => payload.uid === uid)?.[1]; }

    async findByUserCode(code) {
      return of(this.model).find(([, payload]) => payload.userCode === code)?.[1];
    }

    async consume(id) { read(this.key(id)).consumed = Math.floor(Date.now() / 1000); }

    async destroy(id) { entries.delete(this.key(id)); }

    async revokeByGrantId(grantId) {
      for (const [key, payload] of of(this.model)) {
        if (payload.grantId === grantId) entries.delete(key);
      }
    }
  }

  return {
    people,
    Adapter,
    sessionsOf: (name) => of('Session').map(([, payload]) => payload)
      .filter((session) => session.accountId === name),
    save() {
      if (!file) return;
      const all = { people: Object.fromEntries(people), entries: [...entries] };
      writeFileSync(file, JSON.stringify(all), { mode: 0o600 });
    },
  };
}
