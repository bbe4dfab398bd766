-- The same GET over and over. TARGET: the path.
local common = dofile(os.getenv('BENCH_WRK') .. '/common.lua')

function init()
	request = common.cycle({common.request('GET', os.getenv('TARGET'), {})})
end

function done(summary, latency)
	common.report(summary, latency)
end
