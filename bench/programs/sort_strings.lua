-- Formats and sorts 10,000 strings, as many times as it is told (4,000: a minute and more):
-- a program of ordinary depth, in which the benchmark stops and steps back.
local function word(i)
  return string.format("%05d-%s", (i * 7919) % 10007, string.rep("x", i % 7))
end

for round = 1, tonumber(arg[1] or 4000) do
  local list = {}
  for i = 1, 10000 do
    list[i] = word(i + round)
  end
  table.sort(list)
  assert(#table.concat(list, ",") > 0)
end
