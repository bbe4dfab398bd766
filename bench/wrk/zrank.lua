-- webdis: the rank of people all over the same line. USERS: a file of their ids; LINE: the sorted set.
local common = dofile(os.getenv('BENCH_WRK') .. '/common.lua')

local function escaped(text)
	return (text:gsub('[^%w]', function(char) return string.format('%%%02X', char:byte()) end))
end

function init()
	local requests, path = {}, '/ZRANK/' .. escaped(os.getenv('LINE')) .. '/'
	for i, row in ipairs(common.read('USERS')) do
		requests[i] = common.request('GET', path .. row[1], {})
	end
	request = common.cycle(requests)
end

function done(summary, latency)
	common.report(summary, latency)
end
