-- Sends prepared requests in order; prints what became of them as a line of JSON.

local templates, steps = {}, {}
local threads = {}

local function plain(text)
  return (text:gsub("\\(.)", { r = "\r", n = "\n", ["\\"] = "\\" }))
end

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
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
  count = (count or 0) + 1
  local step = steps[count] or steps[#steps]
  local template = templates[step:sub(1, 1)]
  return template[1] .. step:sub(2) .. template[2]
end

function done(summary)
  local made = 0
  for _, thread in ipairs(threads) do
    made = made + thread:get("count")
  end
  local e = summary.errors
  local failed = { connect = e.connect, read = e.read, write = e.write, status = e.status,
    timeout = e.timeout }
  local parts = {}
  for name, number in pairs(failed) do
    parts[#parts + 1] = string.format('"%s": %d', name, number)
  end
  io.write(string.format('\n{"requests": %d, "seconds": %.6f, "asked": %d, "errors": {%s}}\n',
    summary.requests, summary.duration / 1e6, made, table.concat(parts, ", ")))
end
