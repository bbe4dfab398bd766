-- What the scripts for wrk share: lists out of files, requests in turn, and the result as one line of JSON.
-- One thread of wrk only: each would send the same list.
local common = {}

-- The words of a file, line by line: {{'1', 'eyJ…'}, …}
function common.read(variable)
	local rows, path = {}, assert(os.getenv(variable), variable .. ' is not set')
	for line in io.lines(path) do
		local words = {}
		for word in line:gmatch('%S+') do
			words[#words + 1] = word
		end
		rows[#rows + 1] = words
	end
	assert(#rows > 0, variable .. ' names an empty file')
	return rows
end

-- Sends ready-made requests in turn, again from the first after the last.
function common.cycle(requests)
	local next_one = 0
	return function()
		next_one = next_one % #requests + 1
		return requests[next_one]
	end
end

function common.request(method, path, headers, body)
	local lines = {method .. ' ' .. path .. ' HTTP/1.1', 'Host: ' .. wrk.host}
	for name, value in pairs(headers) do
		lines[#lines + 1] = name .. ': ' .. value
	end
	if body then
		lines[#lines + 1] = 'Content-Type: application/json'
		lines[#lines + 1] = 'Content-Length: ' .. #body
	end
	return table.concat(lines, '\r\n') .. '\r\n\r\n' .. (body or '')
end

function common.report(summary, latency)
	local errors = summary.errors
	io.write(string.format('RESULT {"requests": %d, "duration_us": %d, "bytes": %d, ',
		summary.requests, summary.duration, summary.bytes))
	io.write(string.format('"errors": {"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}, ',
		errors.connect, errors.read, errors.write, errors.status, errors.timeout))
	io.write(string.format('"latency_us": {"p50": %d, "p90": %d, "p95": %d, "p99": %d, "p999": %d, "max": %d}}\n',
		latency:percentile(50), latency:percentile(90), latency:percentile(95), latency:percentile(99),
		latency:percentile(99.9), latency.max))
end

return common
