#!/usr/bin/env bash
# The way of one buyer, from the log-in to a paid seat, as commands for a shell with curl and sed.
#
#   tour.sh          prints it, for the server at PORT, ready to be pasted
#   tour.sh check    runs it as printed, and fails unless it ends with a paid reservation
set -euo pipefail
port=${PORT:-8080}

tour() {
	sed "s/@PORT@/$port/" <<'TOUR'
BASE=http://127.0.0.1:@PORT@
member() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p"; }
key() { echo "tour-$1-$$-$(date +%s)"; }

# Log in: who you are.
REPLY=$(curl -sS $BASE/v1/sessions -H 'Content-Type: application/json' \
  -d '{"email": "buyer@onsale.test", "password": "onsale-demo"}'); echo "$REPLY"
JWT=$(echo "$REPLY" | member access_token)

# What is on sale.
curl -sS $BASE/v1/events; echo

# Join the line of event 1 and wait for your turn; each reply brings the token for the next poll.
REPLY=$(curl -sS -X POST $BASE/v1/events/1/queue -H "Authorization: Bearer $JWT"); echo "$REPLY"
TOKEN=$(echo "$REPLY" | member token); PASS=; POLLS=0
while [ -z "$PASS" ] && [ -n "$TOKEN" ] && [ $POLLS -lt 60 ]; do
  sleep 1; POLLS=$((POLLS + 1))
  REPLY=$(curl -sS $BASE/v1/queue -H "X-Queue-Token: $TOKEN"); echo "$REPLY"
  TOKEN=$(echo "$REPLY" | member token); PASS=$(echo "$REPLY" | member pass)
done

# Pick the first free seat of performance 1 and hold it.
SEAT=$(curl -sS $BASE/v1/performances/1/seats | sed 's/{/\
/g' | sed -n '/"status": *"available"/{p;q;}' | member id); echo "seat $SEAT"
REPLY=$(curl -sS $BASE/v1/reservations -H "Authorization: Bearer $JWT" -H "X-Queue-Pass: $PASS" \
  -H "Idempotency-Key: $(key hold)" -H 'Content-Type: application/json' \
  -d "{\"performance_id\": 1, \"seat_ids\": [$SEAT]}"); echo "$REPLY"
RESERVATION=$(echo "$REPLY" | sed 's/"seats".*//' | member id)
TOTAL=$(echo "$REPLY" | member total)

# Charge the balance by the price, pay, and look at what is left.
curl -sS $BASE/v1/me/balance/charges -H "Authorization: Bearer $JWT" \
  -H "Idempotency-Key: $(key charge)" -H 'Content-Type: application/json' \
  -d "{\"amount\": $TOTAL}"; echo
curl -sS $BASE/v1/reservations/$RESERVATION/payment -H "Authorization: Bearer $JWT" \
  -H "Idempotency-Key: $(key pay)" -H 'Content-Type: application/json' -d '{}'; echo
curl -sS $BASE/v1/me/balance -H "Authorization: Bearer $JWT"; echo
curl -sS $BASE/v1/reservations/$RESERVATION -H "Authorization: Bearer $JWT"; echo
TOUR
}

# The last reply is the reservation itself, read back.
check() {
	local said status=0
	said=$(timeout 120 sh -c "$(tour)" 2>&1) || status=$?
	printf '%s\n' "$said"
	if [ "$status" = 0 ] && [[ ${said##*$'\n'} =~ \"status\":\ *\"paid\" ]]; then
		echo "tour: the seat is paid"
	else
		echo "tour: it did not end with a paid seat" >&2
		return 1
	fi
}

case ${1:-print} in
print) tour ;;
check) check ;;
*) sed -n '4,5s/^# *//p' "$0" >&2 && exit 2 ;;
esac
