-- wrk script: joins with a requestId never used before, by the people of a file; or reads.
-- arguments: verb (join | get), path, tokens file ("-" without), prefix (8 characters), count (plain | checked)
-- output: one line `WRK {json}`; `checked` also counts status and outcome of each answer, which costs wrk time.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

local heads, sent, prefix, fixed = {}, 0, "", nil
counts = {}

local function read_tokens(file)
  local tokens = {}
  for line in io.lines(file) do tokens[#tokens + 1] = line end
  return tokens
end

function init(args)
  local verb, path, file, chosen, mode = args[1], args[2], args[3], args[4], args[5]
  prefix = chosen
  if verb == "get" then
    fixed = "GET " .. path .. " HTTP/1.1\r\nHost: bench\r\n\r\n"
  else
    -- The body has a fixed length: 8 + 1 + 12 characters of requestId.
    local length = #('{"requestId":"' .. prefix .. '-000000000000","quantity":1}')
    for _, token in ipairs(read_tokens(file)) do
      heads[#heads + 1] = "POST " .. path .. " HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer " .. token
        .. "\r\nContent-Type: application/json\r\nContent-Length: " .. length .. "\r\n\r\n"
        .. '{"requestId":"' .. prefix .. "-"
    end
  end
  if mode == "checked" then
    response = function(status, _, body)
      local word = string.match(body, '"outcome":"([A-Z_]+)"') or string.match(body, '"code":"([A-Z_]+)"') or "-"
      local key = status .. " " .. word
      counts[key] = (counts[key] or 0) + 1
    end
  end
end

function request()
  if fixed then return fixed end
  sent = sent + 1
  return heads[(sent - 1) % #heads + 1] .. string.format("%012d", sent) .. '","quantity":1}'
end

function done(summary)
  local parts = {}
  for _, thread in ipairs(threads) do
    for key, count in pairs(thread:get("counts") or {}) do
      parts[#parts + 1] = string.format('"%s":%d', key, count)
    end
  end
  print(string.format(
    'WRK {"requests":%d,"seconds":%.6f,"not2xx":%d,"broken":%d,"timeouts":%d,"answers":{%s}}',
    summary.requests, summary.duration / 1e6, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write, summary.errors.timeout,
    table.concat(parts, ",")))
end
