// A ticket shop as people write it with Fastify: ioredis for the line and the locks, pg for the sale.
//
// It speaks onsale's contract as far as bench/ calls it, for the comparison. This is one worker of it.
import { randomBytes } from 'node:crypto';
import Fastify from 'fastify';
import { eventById, eventOf, refresh } from './catalog.js';
import * as line from './line.js';
import { runOnce } from './once.js';
import { Problem, sendProblem, sendText } from './replies.js';
import * as sale from './sale.js';
import { seatLetters, seatList, shared } from './seats.js';
import { settings } from './settings.js';
import { database, redis } from './stores.js';
import { checkPass, placeOf, userOf } from './tokens.js';

const DEADLOCK = '40P01';
const BACKLOG = 16384;
const KEEP_ALIVE_MS = 75_000;

const id = { type: 'integer', minimum: 1 };
const idParams = (name) => ({ type: 'object', properties: { [name]: id } });

function asProblem(error) {
  if (error instanceof Problem) return error;
  if (error.validation) {
    const errors = error.validation.map((e) => ({ field: e.instancePath.slice(1), message: e.message }));
    return new Problem(422, 'validation_failed', { errors });
  }
  if (error.code === DEADLOCK) return new Problem(503, 'database_unavailable');
  if (error.statusCode === 400) return new Problem(400, 'malformed_json');
  if (error.statusCode < 500) return new Problem(error.statusCode, error.code.toLowerCase());
  console.error(error);
  return new Problem(500, 'internal_error');
}

function makeApp() {
  const app = Fastify({
    logger: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestIdHeader: 'x-request-id',
    genReqId: () => randomBytes(8).toString('hex'),
  });
  app.decorateRequest('rawBody', null);
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    request.rawBody = body;
    parse(request, body, done);
  });
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id).header('cache-control', 'no-store');
    done();
  });
  app.setErrorHandler((error, _, reply) => sendProblem(reply, asProblem(error)));
  app.setNotFoundHandler((_, reply) => sendProblem(reply, new Problem(404, 'not_found')));
  return app;
}

function addLine(app) {
  const place = { response: { '2xx': line.placeSchema } };
  app.post('/v1/events/:event/queue', { schema: { params: idParams('event'), ...place } }, async (request, reply) => {
    const user = userOf(request);
    const event = eventById(request.params.event);
    if (!event.queue_enabled) throw new Problem(409, 'queue_disabled');
    const joined = await line.join(event, user);
    reply.code(joined.status);
    return joined.place;
  });
  app.get('/v1/queue', { schema: place }, async (request) => {
    const { event, user, token } = placeOf(request);
    return line.poll(eventById(event), user, token);
  });
  app.delete('/v1/queue', async (request, reply) => {
    const { event, user } = placeOf(request);
    await line.leave(event, user);
    return reply.code(204).send();
  });
  app.get('/v1/events/:event/queue', { schema: { params: idParams('event') } }, async (request, reply) => {
    const event = eventById(request.params.event);
    const [waiting, active] = await line.counts(event);
    reply.header('cache-control', 'public, max-age=1');
    return {
      event_id: event.id, enabled: event.queue_enabled, paused: false, message: null, waiting, active,
      capacity: event.capacity, admit_per_second: settings.admitAtMost * 10,
    };
  });
}

function addSale(app) {
  app.post('/v1/reservations', { schema: { body: sale.holdSchema } }, async (request, reply) => {
    const user = userOf(request);
    const event = eventOf(request.body.performance_id);
    if (event.queue_enabled) checkPass(request, event.id, user);
    return runOnce(request, reply, user, async (once) => {
      if (event.queue_enabled && !(await line.passEnd(event, user))) throw new Problem(403, 'queue_pass_expired');
      return sale.hold(once, user, request.body);
    });
  });
  const params = idParams('reservation');
  app.post('/v1/reservations/:reservation/payment', { schema: { params } }, async (request, reply) => {
    const user = userOf(request);
    return runOnce(request, reply, user, (once) => sale.pay(once, user, request.params.reservation));
  });
}

function addSeats(app) {
  const schema = { params: idParams('performance') };
  const send = (kind, make) => async (request, reply) => {
    const text = await shared(kind, request.params.performance, make);
    reply.header('cache-control', 'public, max-age=1');
    return sendText(reply, 200, text);
  };
  app.get('/v1/performances/:performance/seats', { schema }, send('seats', seatList));
  app.get('/v1/performances/:performance/seats/status', { schema }, send('status', seatLetters));
  app.get('/livez', async () => ({ status: 'ok' }));
}

// Waits for the work before it comes again.
function repeat(ms, work) {
  setTimeout(async () => {
    await work().catch((error) => console.error(`${work.name} failed; it is tried again:`, error));
    repeat(ms, work);
  }, ms).unref();
}

async function serve() {
  const app = makeApp();
  addLine(app);
  addSale(app);
  addSeats(app);
  await refresh();
  repeat(settings.admitEveryMs, line.admit);
  repeat(settings.catalogEveryMs, refresh);
  await app.listen({ host: '127.0.0.1', port: settings.port, backlog: BACKLOG });
  process.on('SIGTERM', async () => {
    await app.close();
    await database.end();
    redis.disconnect();
    process.exit(0);
  });
}

await serve();
