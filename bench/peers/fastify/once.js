// Idempotency-Key: an effect happens once, and every repeat gets the first reply.
//
// The record commits in PostgreSQL with the effect. Redis keeps a request from running twice at once and
// hands out known replies; where it forgot, the unique key in PostgreSQL decides.
import { createHash } from 'node:crypto';
import { Problem, problemText, sendText } from './replies.js';
import { settings } from './settings.js';
import { database, redis, statement } from './stores.js';

const IN_FLIGHT = 'in flight';

// The key was used before: nothing of this request may happen.
class Known extends Error {}

const insert = statement('keep', `
INSERT INTO idempotency (scope, digest, status, reply) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING 1`);
const select = statement('find', 'SELECT digest, status, reply AS text FROM idempotency WHERE scope = $1');

function readKey(request) {
  const key = (request.headers['idempotency-key'] ?? '').replace(/^"(.*)"$/, '$1');
  if (!key) throw new Problem(400, 'idempotency_key_required');
  if (key.length > 255) {
    throw new Problem(422, 'validation_failed', { errors: [{ field: 'Idempotency-Key', message: 'too long' }] });
  }
  return key;
}

// One request under its key. `keep` belongs into the transaction of the effect.
class Once {
  constructor(request, user) {
    this.requestId = request.id;
    this.scope = `${user}:${request.method}:${request.url}:${readKey(request)}`;
    this.digest = createHash('sha256').update(request.rawBody ?? '').digest('hex');
    this.name = `${settings.name}:key:${this.scope}`;
  }

  async keep(client, status, text) {
    const { rowCount } = await insert(client, this.scope, this.digest, status, text);
    if (!rowCount) throw new Known();
    return { digest: this.digest, status, text };
  }

  refusal(problem) {
    return { digest: this.digest, status: problem.status, text: problemText(problem, this.requestId) };
  }

  keepProblem(client, problem) {
    return this.keep(client, problem.status, this.refusal(problem).text);
  }

  // Nothing: ours to run. Else the reply that is known.
  async claim() {
    const [claimed, value] = await Promise.all([
      redis.set(this.name, IN_FLIGHT, 'PX', settings.lockMs, 'NX'),
      redis.get(this.name),
    ]);
    if (claimed) return undefined;
    if (value === null || value === IN_FLIGHT) throw new Problem(409, 'request_in_flight');
    return JSON.parse(value);
  }

  tell(kept) {
    if (!kept) return redis.del(this.name);
    return redis.set(this.name, JSON.stringify(kept), 'EX', settings.keyKeptS);
  }

  answer(reply, kept, replayed) {
    if (kept.digest !== this.digest) throw new Problem(422, 'idempotency_key_reused');
    if (replayed) reply.header('idempotent-replayed', 'true');
    return sendText(reply, kept.status, kept.text);
  }
}

// Runs work(once), which gives what was kept, unless the key is known.
export async function runOnce(request, reply, user, work) {
  const once = new Once(request, user);
  let kept = await once.claim();
  if (kept) return once.answer(reply, kept, true);
  let replayed = false;
  try {
    kept = await work(once);
  } catch (error) {
    if (!(error instanceof Known)) throw error;
    [kept] = (await select(database, once.scope)).rows;
    replayed = true;
  } finally {
    await once.tell(kept);
  }
  return once.answer(reply, kept, replayed);
}
