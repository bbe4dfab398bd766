-- The seats of one performance, a letter each. PERFORMANCE: its id.
local common = dofile(os.getenv('BENCH_WRK') .. '/common.lua')

function init()
	local path = '/v1/performances/' .. os.getenv('PERFORMANCE') .. '/seats/status'
	request = common.cycle({common.request('GET', path, {})})
end

function done(summary, latency)
	common.report(summary, latency)
end
