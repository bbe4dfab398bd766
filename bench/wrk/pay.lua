-- Payments, each of another reservation. RESERVATIONS: a file with one a line, its id and its owner's access token;
-- RUN: part of every Idempotency-Key.
local common = dofile(os.getenv('BENCH_WRK') .. '/common.lua')

function init()
	local rows, next_one = common.read('RESERVATIONS'), 0
	local run, host = os.getenv('RUN'), wrk.host
	function request()
		next_one = next_one % #rows + 1
		local row = rows[next_one]
		return 'POST /v1/reservations/' .. row[1] .. '/payment HTTP/1.1\r\nHost: ' .. host
			.. '\r\nAuthorization: Bearer ' .. row[2] .. '\r\nIdempotency-Key: ' .. run .. '-' .. row[1]
			.. '\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'
	end
end

function done(summary, latency)
	common.report(summary, latency)
end
