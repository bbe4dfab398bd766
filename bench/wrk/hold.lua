-- Holds of one seat each, never the same seat again. PEOPLE: a file with a person a line, access token and pass
-- (or - where none is asked for); PERFORMANCE and FIRST_SEAT: what is held; RUN: part of every Idempotency-Key.
-- The people take turns, so that nobody comes to the limit of seats a person before all have come to it.
local common = dofile(os.getenv('BENCH_WRK') .. '/common.lua')

function init()
	local heads, next_one = {}, -1
	local first, run = tonumber(os.getenv('FIRST_SEAT')), os.getenv('RUN')
	local start = '{"performance_id":' .. os.getenv('PERFORMANCE') .. ',"seat_ids":['
	for i, row in ipairs(common.read('PEOPLE')) do
		heads[i] = 'POST /v1/reservations HTTP/1.1\r\nHost: ' .. wrk.host .. '\r\nAuthorization: Bearer ' .. row[1]
			.. (row[2] ~= '-' and '\r\nX-Queue-Pass: ' .. row[2] or '')
			.. '\r\nContent-Type: application/json\r\nIdempotency-Key: ' .. run .. '-'
	end
	function request()
		next_one = next_one + 1
		local body = start .. (first + next_one) .. ']}'
		return heads[next_one % #heads + 1] .. next_one .. '\r\nContent-Length: ' .. #body .. '\r\n\r\n' .. body
	end
end

function done(summary, latency)
	common.report(summary, latency)
end
