-- Formats, sorts and joins 10,000 strings, as often as the first argument says:
-- allocation, hashing, comparison, a garbage collector and a little output.
local rounds = tonumber(arg[1]) or 1

local function word(i, round)
  return string.format("%05d-%s-%x", (i * 7919 + round) % 10007, string.rep("x", i % 7), i * round)
end

for round = 1, rounds do
  local list = {}
  for i = 1, 10000 do
    list[i] = word(i, round)
  end
  table.sort(list)
  local length = 0
  for i, text in ipairs(list) do
    length = length + #string.format("%6d %-24s|", i, text)
  end
  print(round, list[1], list[5000], list[10000], length, #table.concat(list, ","))
end
