-- Polls of places all over the line. TOKENS: a file of queue tokens, one a line.
local common = dofile(os.getenv('BENCH_WRK') .. '/common.lua')

function init()
	local requests = {}
	for i, row in ipairs(common.read('TOKENS')) do
		requests[i] = common.request('GET', '/v1/queue', {['X-Queue-Token'] = row[1]})
	end
	request = common.cycle(requests)
end

function done(summary, latency)
	common.report(summary, latency)
end
