// Who calls, and which place or pass they bring: JWTs, all by the one secret. Access tokens are those of
// `onsale users`; places and passes are our own. Every token is verified each time: fast-jwt's cache of
// verified ones is off, as it is where nobody turns it on.
import { createSigner, createVerifier, TokenError } from 'fast-jwt';
import { Problem } from './replies.js';
import { settings } from './settings.js';

const key = settings.jwtSecret;
const algorithms = ['HS256'];
const verifyAccess = createVerifier({
  key, algorithms, allowedIss: 'onsale', allowedAud: 'onsale', requiredClaims: ['exp', 'sub'],
});
const verifyOwn = createVerifier({ key, algorithms });
const sign = createSigner({ key, algorithm: 'HS256', noTimestamp: true });

export function userOf(request) {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ');
  try {
    if (scheme.toLowerCase() === 'bearer') {
      const user = Number(verifyAccess(token).sub);
      if (Number.isSafeInteger(user) && user > 0) return user;
    }
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
  }
  throw new Problem(401, 'unauthorized');
}

export const signPlace = (event, user) => sign({ sub: String(user), evt: event, typ: 'place' });

// Event, user and the token itself.
export function placeOf(request) {
  const token = request.headers['x-queue-token'];
  try {
    const claims = verifyOwn(token ?? '');
    if (claims.typ === 'place') return { event: claims.evt, user: Number(claims.sub), token };
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
  }
  throw new Problem(401, 'invalid_queue_token');
}

export function signPass(event, user, endsS) {
  return sign({ sub: String(user), evt: event, typ: 'pass', exp: endsS });
}

export function checkPass(request, event, user) {
  const token = request.headers['x-queue-pass'];
  if (!token) throw new Problem(403, 'queue_pass_required');
  try {
    const claims = verifyOwn(token);
    if (claims.typ === 'pass' && claims.evt === event && claims.sub === String(user)) return;
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    if (error.code === TokenError.codes.expired) throw new Problem(403, 'queue_pass_expired');
  }
  throw new Problem(403, 'queue_pass_invalid');
}
