// The XML of gdb's standard features for amd64 on Linux. The types inside a
// feature are known only there, so that vectors are defined twice.
#include "rsp/target_description.h"

#include <span>

namespace chronofork {
namespace {

struct Flag {
  const char* name;
  int bit;
};

// Bits are named as in the Intel SDM; the nameless one always reads 1.
constexpr Flag kEflags[] = {{"CF", 0},  {"", 1},    {"PF", 2},   {"AF", 4},   {"ZF", 6},  {"SF", 7},
                            {"TF", 8},  {"IF", 9},  {"DF", 10},  {"OF", 11},  {"NT", 14}, {"RF", 16},
                            {"VM", 17}, {"AC", 18}, {"VIF", 19}, {"VIP", 20}, {"ID", 21}};
constexpr Flag kMxcsrFlags[] = {{"IE", 0}, {"DE", 1}, {"ZE", 2}, {"OE", 3},  {"UE", 4},  {"PE", 5},  {"DAZ", 6},
                                {"IM", 7}, {"DM", 8}, {"ZM", 9}, {"OM", 10}, {"UM", 11}, {"PM", 12}, {"FZ", 15}};

constexpr char kVec128[] =
    R"(<vector id="v8bf16" type="bfloat16" count="8"/><vector id="v8h" type="ieee_half" count="8"/>)"
    R"(<vector id="v4f" type="ieee_single" count="4"/><vector id="v2d" type="ieee_double" count="2"/>)"
    R"(<vector id="v16i8" type="int8" count="16"/><vector id="v8i16" type="int16" count="8"/>)"
    R"(<vector id="v4i32" type="int32" count="4"/><vector id="v2i64" type="int64" count="2"/>)"
    R"(<union id="vec128"><field name="v8_bfloat16" type="v8bf16"/><field name="v8_half" type="v8h"/>)"
    R"(<field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/>)"
    R"(<field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/>)"
    R"(<field name="v4_int32" type="v4i32"/><field name="v2_int64" type="v2i64"/>)"
    R"(<field name="uint128" type="uint128"/></union>)";
constexpr char kV2ui128[] = R"(<vector id="v2ui128" type="uint128" count="2"/>)";

std::string Flags(const char* id, std::span<const Flag> flags) {
  std::string xml = std::string("<flags id=\"") + id + "\" size=\"4\">";
  for (const Flag& flag : flags) {
    std::string bit = std::to_string(flag.bit);
    xml += std::string("<field name=\"") + flag.name + "\" start=\"" + bit + "\" end=\"" + bit + "\" type=\"bool\"/>";
  }
  return xml + "</flags>";
}

// Sixteen protection keys, two bits each: access disabled, writes disabled.
std::string PkruFlags() {
  std::string xml = "<flags id=\"i386_pkru\" size=\"4\">";
  for (int bit = 0; bit < 32; ++bit) {
    std::string at = std::to_string(bit);
    xml += std::string("<field name=\"") + (bit % 2 == 0 ? "AD" : "WD") + std::to_string(bit / 2) + "\" start=\"" + at +
           "\" end=\"" + at + "\" type=\"bool\"/>";
  }
  return xml + "</flags>";
}

const char* FeatureName(RegisterFeature feature) {
  switch (feature) {
    case RegisterFeature::kCore: return "org.gnu.gdb.i386.core";
    case RegisterFeature::kSse: return "org.gnu.gdb.i386.sse";
    case RegisterFeature::kLinux: return "org.gnu.gdb.i386.linux";
    case RegisterFeature::kSegments: return "org.gnu.gdb.i386.segments";
    case RegisterFeature::kAvx: return "org.gnu.gdb.i386.avx";
    case RegisterFeature::kAvx512: return "org.gnu.gdb.i386.avx512";
    case RegisterFeature::kPkeys: return "org.gnu.gdb.i386.pkeys";
  }
  return "";
}

std::string FeatureTypes(RegisterFeature feature) {
  switch (feature) {
    case RegisterFeature::kCore: return Flags("i386_eflags", kEflags);
    case RegisterFeature::kSse: return kVec128 + Flags("i386_mxcsr", kMxcsrFlags);
    case RegisterFeature::kAvx512: return std::string(kVec128) + kV2ui128;
    case RegisterFeature::kPkeys: return PkruFlags();
    case RegisterFeature::kLinux:
    case RegisterFeature::kSegments:
    case RegisterFeature::kAvx: return "";
  }
  return "";
}

}  // namespace

std::string TargetDescription(const RegisterLayout& layout) {
  std::string xml =
      "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
      "<architecture>i386:x86-64</architecture><osabi>GNU/Linux</osabi>";
  const auto& registers = layout.registers();
  for (size_t i = 0; i < registers.size(); ++i) {
    const RegisterSpec& spec = registers[i];
    if (i == 0 || registers[i - 1].feature != spec.feature) {
      if (i != 0) xml += "</feature>";
      xml += std::string("<feature name=\"") + FeatureName(spec.feature) + "\">" + FeatureTypes(spec.feature);
    }
    // Numbered by their order; saying so would cost gdb one more piece to read.
    xml += "<reg name=\"" + spec.name + "\" bitsize=\"" + std::to_string(spec.bits) + "\" type=\"" + spec.type + "\"";
    if (*spec.group) xml += std::string(" group=\"") + spec.group + "\"";
    xml += "/>";
  }
  return xml + "</feature></target>";
}

}  // namespace chronofork
