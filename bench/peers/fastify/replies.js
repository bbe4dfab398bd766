// Problems, as RFC 9457 has them, and what every reply carries.
import { STATUS_CODES } from 'node:http';

export class Problem extends Error {
  constructor(status, code, members = {}) {
    super(code);
    Object.assign(this, { status, code, members });
  }
}

export function problemText(problem, requestId) {
  return JSON.stringify({
    type: `/problems/${problem.code}`,
    title: STATUS_CODES[problem.status],
    status: problem.status,
    detail: problem.code.replaceAll('_', ' '),
    code: problem.code,
    ...problem.members,
    request_id: requestId,
  });
}

// A string is sent as it stands.
export function sendText(reply, status, text) {
  reply.code(status).type(status < 400 ? 'application/json' : 'application/problem+json');
  if (status === 429 || status === 503) reply.header('retry-after', '1');
  return reply.send(text);
}

export function sendProblem(reply, problem) {
  return sendText(reply, problem.status, problemText(problem, reply.request.id));
}
