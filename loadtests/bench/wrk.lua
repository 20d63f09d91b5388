-- Sends prepared requests in order, from the first again after the last; prints what became of them
-- as a line of JSON. Arguments: the file of requests, and what the body of each answer must have.

local templates, steps = {}, {}
local threads = {}

local function plain(text)
  return (text:gsub("\\(.)", { r = "\r", n = "\n", ["\\"] = "\\" }))
end

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  count, strange = 0, 0
  mark = args[2] or ""
  local in_steps = false
  for line in io.lines(args[1]) do
    if in_steps then
      steps[#steps + 1] = line
    elseif line == "" then
      in_steps = true
    else
      local before, after = line:sub(2):match("^(.*)\t(.*)$")
      templates[line:sub(1, 1)] = { plain(before), plain(after) }
    end
  end
end

function request()
  count = count + 1
  local step = steps[(count - 1) % #steps + 1]
  local template = templates[step:sub(1, 1)]
  return template[1] .. step:sub(2) .. template[2]
end

function response(status, _, body)
  if status ~= 200 or not body:find(mark, 1, true) then
    strange = strange + 1
  end
end

function done(summary)
  local made, odd = 0, 0
  for _, thread in ipairs(threads) do
    made = made + thread:get("count")
    odd = odd + thread:get("strange")
  end
  local e = summary.errors
  local failed = { connect = e.connect, read = e.read, write = e.write, status = e.status,
    timeout = e.timeout, strange = odd }
  local parts = {}
  for name, number in pairs(failed) do
    parts[#parts + 1] = string.format('"%s": %d', name, number)
  end
  io.write(string.format('\n{"requests": %d, "seconds": %.6f, "asked": %d, "errors": {%s}}\n',
    summary.requests, summary.duration / 1e6, made, table.concat(parts, ", ")))
end
