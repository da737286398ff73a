"""Attempts to take over a language model: orders to forget its rules, questions for its prompt, forged turns, disguises.

The kinds follow the public lists of such attacks (OWASP Top 10 for LLM Applications, LLM01 prompt injection). Rules catch
what is known; they are one fence of several, the others being that a generator sees no secrets, that tools ask for
permission, and that its words are checked against evidence.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from shopkeeper.trust.folding import Folded, fold
from shopkeeper.trust.phrases import Phrase, Span, lowered, phrase

_RULES: Final = (
    r"(?<![a-z])(?:instructions?|prompts?|rules?|guidelines?|directives?|polic(?:y|ies)|restrictions?|constraints?|guardrails?|"
    r"safety (?:rules|filters?|measures)|content filters?|filters?|programming|training|system message|orders? (?:given|from)|commands?|context)(?![a-z])"
)
_SAID: Final = (
    r"(?! (?:messages?|e-?mails?|questions?|requests?|chats?|texts?|comments?|orders?(?! (?:given|from)))(?![a-z]))"
)
"""What customers take back are their own words: "ignore my previous message"."""
_BEFORE: Final = rf"(?<![a-z])(?:all|any|(?:previous(?:ly)?|prior|above|earlier){_SAID}|preceding|foregoing|your|these|those|the system|system|original|initial|existing|current|every)(?![a-z])"
_WHOSE: Final = r"(?<![a-z])(?:system|hidden|secret|initial|original|internal|confidential|full|exact|entire|developer|your)(?![a-z])"
_PROMPT: Final = r"(?<![a-z])(?:system prompts?|prompts?|(?:initial|system|original|hidden|secret|internal|developer) (?:instructions?|messages?|rules|configuration|guidelines))(?![a-z])"

_PHRASES: Final[tuple[Phrase, ...]] = (
    phrase(
        r"(?<![a-z])(?:ignor(?:e|ing)|disregard(?:ing)?|forget|overrid(?:e|ing)|bypass(?:ing)?|circumvent|discard|neglect|do not (?:follow|obey)|don't (?:follow|obey)|stop (?:following|obeying)|without (?:following|regard to))(?![a-z])",
        _BEFORE, _RULES,
    ),
    phrase(r"(?<![a-z])(?:ignore|disregard|forget) (?:everything|anything|all|what|whatever)(?![a-z])(?! (?:that )?i(?:'ve)? (?:just )?(?:said|wrote|asked|told|sent|typed|mentioned))", rf"(?<![a-z])(?:(?:above|before|previous(?:ly)?|prior|earlier){_SAID}|you (?:were|have been|are) told|you know|you were taught)(?![a-z])", gap=16),
    phrase(r"(?<![a-z])(?:reveal|show|print|repeat|output|display|tell|give|leak|expose|dump|share|write|recite|summari[sz]e|translate|what (?:is|are|was|were)|what's)(?![a-z])", _WHOSE + "|(?<![a-z])(?:the|above)(?![a-z])", _PROMPT, gap=16),
    phrase(r"(?<![a-z])(?:repeat|print|output|copy) (?:everything|all|the (?:text|words|content)) (?:above|before)(?![a-z])"),
    phrase(r"(?<![a-z])(?:you are now|from now on|act as|acting as|pretend|role ?play|simulate|behave (?:as|like)|imagine|respond as|become|be|you will be)(?![a-z])",
           r"(?<![a-z])(?:dan|aim|stan|dude|jailbroken|unrestricted|unfiltered|uncensored|unaligned|evil|amoral|without (?:any |all )?(?:restrictions?|rules|limits?|limitations|filters?|censorship|ethics|guidelines)|no (?:restrictions?|rules|limits?|limitations|filters?|guidelines|ethics)|free (?:of|from) (?:all )?(?:rules|restrictions|limits)|developer mode|root|superuser|an? (?:admin(?:istrator)?|hacker|different ai|another ai)|no longer (?:bound|restricted|an? ai))(?![a-z])", gap=60),
    phrase(r"(?<![a-z])(?:do anything now|dan mode|god mode|jailbreak(?:ing|ed)?|(?:enable|enter|activate|switch to|in) (?:developer|debug|admin|maintenance|unrestricted|sudo|root) mode|(?:system|admin|safety|security) override|override (?:code|mode|safety)|prompt injection|pretend (?:that )?(?:you are|you're|to be)|role ?play(?:ing)? as)(?![a-z])"),
    phrase(r"(?<![a-z])(?:new|updated|real|true|important|secret) (?:system )?(?:instructions?|directives?|prompt)\s{0,2}:|(?<![a-z])your (?:new|real|true|only) (?:task|instructions?|role|goal|purpose) (?:is|are)(?![a-z])"),
    phrase(r"(?<![a-z])(?:i am|i'm|this is|speaking as) (?:your (?:developer|creator|administrator|admin|system administrator|engineer|programmer|owner)|the (?:(?:system )?admin(?:istrator)?|(?:developer|creator|engineer|owner) (?:of|behind) this (?:bot|system|assistant|model))|openai)(?![a-z])"),
    phrase(r"(?<![a-z])(?:list|show|give|send|export|dump|reveal|tell|print|access|delete|drop)(?![a-z])", r"(?<![a-z])(?:all|every|other|another|any) (?:of the |the )?(?:other )?(?:customers?|users?|clients?|buyers?|people)(?:'s?)?(?![a-z])", r"(?<![a-z])(?:e?-?mails?|address(?:es)?|data|orders?|phone numbers?|passwords?|names|records|details|database|cards?|accounts?)(?![a-z])"),
    phrase(r"(?<![a-z])(?:(?:api (?:keys?|tokens?)|access tokens?|(?:your|the|its|all|system|server) (?:\w{1,12} )?(?:secret|access|private|encryption) (?:keys?|tokens?)))(?![a-z])|(?<![a-z])(?:database|admin|root|system) (?:passwords?|credentials)(?![a-z])"),
    phrase("(?:忽略|无视|忘记|忘掉|忘了|不要理会|不要管|不要遵守|不再遵守|不用遵守|抛开|跳过|绕过|绕开|覆盖|推翻|解除)", "(?:之前|以上|上面|上述|前面|先前|此前|所有|全部|一切|你的|系统|原来|原有|任何|刚才)", "(?:指令|指示|提示|规则|规定|设定|限制|命令|约束|准则|安全(?:策略|限制|规则)|告诉你的|内容过滤)", gap=10),
    phrase("取消(?:之前|以上|所有|全部|一切|你的|系统|任何)的?(?:指令|指示|设定|限制|约束|准则|安全(?:策略|限制|规则)|内容过滤)"),
    phrase("(?:输出|显示|告诉我|透露|泄露|打印|重复|复述|说出|给我看|公开|列出|翻译|写出|是什么|发给我)", "(?:系统(?:提示|指令|消息|设定)|提示词|(?:初始|隐藏|内部|原始|开发者)(?:指令|规则|设定|消息|提示)|system ?prompt)", gap=12),
    phrase("(?:系统提示词?|提示词|初始指令|system ?prompt)", "(?:是什么|告诉我|发给我|发出来|输出|说出来|给我)", gap=8),
    phrase("(?:你现在是|从现在(?:开始|起)|假装|扮演|角色扮演|模拟|假设你是|你将成为|你要充当|进入|切换到|开启)", "(?:没有(?:任何)?(?:限制|约束|规则|道德)|不受(?:任何)?(?:限制|约束)|无限制|无约束|越狱|dan(?![a-z])|开发者模式|调试模式|上帝模式|管理员|黑客|另一个(?:ai|人工智能)|不再是)", gap=16),
    phrase("越狱模式|开发者模式|上帝模式|管理员模式|提示(?:词)?注入|我是(?:你的?|系统的?|本站的?|这个系统的|平台的?)(?:开发者|管理员|创造者|工程师)|新的?(?:系统)?(?:指令|指示)[::]"),
    phrase("(?:列出|给我|发给我|导出|显示|告诉我|查看|删除)", "(?:所有|全部|其他|别的|其它|别人)(?:的)?(?:客户|用户|顾客|买家|人)?", "(?:手机号|电话|地址|邮箱|订单|密码|资料|数据|信息|数据库)", gap=8, unless="(?:所有|全部)的?(?:订单|商品)"),
    phrase("(?:数据库|后台|管理员|系统)(?:的)?密码|api ?密钥|接口密钥"),
)  # fmt: skip
_FORGED: Final = re.compile(
    r"<\|(?:im_start|im_end|system|user|assistant|endoftext|start_header_id|eot_id|begin_of_text)\|>|\[/?INST\]|<</?SYS>>"
    r"|</?(?:system|assistant|instructions?|developer)(?:\s[^<>\n]{0,60})?>|\"role\"\s{0,4}:\s{0,4}\"(?:system|developer|assistant|tool)\""
    r"|(?:^|\n)[ \t#*\[(]{0,8}(?:system|assistant|developer)(?:\s(?:prompt|message|note))?[ \t*\])]{0,4}:(?!//)"
    r"|(?:^|\n)[ \t#*\[【(]{0,8}(?:系统(?:消息|提示|指令)?|助手|开发者)[ \t*\]】)]{0,4}:"
    r"|(?:begin|end|start) (?:of )?system (?:prompt|message)|={3,8}\s?(?:system|new instructions?)",
    re.IGNORECASE,
)
_SPACED: Final = re.compile(r"(?<![^\W_])(?:[A-Za-z][ .*_|-]{1,3}){7,400}[A-Za-z](?![^\W_])")
_ENCODED: Final = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,4096}={0,2}(?![A-Za-z0-9+/=_-])")
_JOINED: Final = re.compile(
    r"(?:ignore|disregard|forget|bypass|override)(?:all|any|the|your|my)*(?:previous|prior|above|earlier|system|rules|instructions|safety)"
    r"|(?:reveal|show|print|repeat)(?:me)?(?:the|your)?(?:hidden|secret)?(?:system)?prompt|systemprompt|doanythingnow|developermode|jailbreak",
    re.IGNORECASE,
)
_CODE: Final = re.compile(
    r"(?<![a-z_])(?:os\.(?:system|exec[a-z]{0,3}|popen2?|spawn[a-z]{0,3}|fork|environ)|subprocess\.|__import__|__builtins__|(?:eval|exec)\s?\(|pickle\.loads"
    r"|(?:ba|z)?sh\s-c\s|/bin/(?:ba)?sh|powershell(?:\.exe)?\s|(?:wget|curl)\shttps?:|nc\s-[a-z]{0,4}e|rm\s-rf|sudo\s[a-z]|chmod\s[0-7+]|cat\s/etc/"
    r"|child_process|union\s(?:all\s)?select|drop\stable|limit\s?=\s?9{4,9}|admin(?:_mode)?\s?=\s?true|whoami\s?[|;&`])",
    re.IGNORECASE,
)
"""Code that wants to be run. Nothing here runs code; who sends it to a shop does not want to buy."""
_LEET: Final = str.maketrans("013457@$", "oieastas")
_TAGS: Final = re.compile(r"[\U000e0020-\U000e007e]{8,}")


def injections(text: str) -> Iterator[Span]:
    """Places of the original text that try to give orders to a model; linear in its length."""
    folded = fold(text, alike=True)
    for start, end in _plain(folded.text):
        yield folded.span(start, end)
    yield from _disguised(text, folded)


def _plain(text: str) -> Iterator[Span]:
    lower = lowered(text)
    for kind in _PHRASES:
        yield from kind.find(lower)
    for found in _FORGED.finditer(text):
        yield found.span()


def _disguised(text: str, folded: Folded) -> Iterator[Span]:
    """What hides its order: spaced letters, figures for letters, words backwards, base64, unseen letters; and code to be run."""
    for found in _SPACED.finditer(folded.text):
        if _JOINED.search(re.sub(r"[^A-Za-z]", "", found[0])):
            yield folded.span(*found.span())
    for found in _CODE.finditer(folded.text):
        yield folded.span(*found.span())
    for told in (folded.text.translate(_LEET), folded.text[::-1]):
        letters = re.sub(r"[^A-Za-z]", "", told)
        if _JOINED.search(letters) and not _JOINED.search(re.sub(r"[^A-Za-z]", "", folded.text)):
            yield folded.span(0, len(folded.text))
    for found in _ENCODED.finditer(folded.text):
        if any(True for _ in _plain(_decoded(found[0]))):
            yield folded.span(*found.span())
    for found in _TAGS.finditer(text):  # letters that no screen shows
        if any(True for _ in _plain("".join(chr(ord(letter) - 0xE0000) for letter in found[0]))):
            yield found.span()


def _decoded(token: str) -> str:
    """What a base64 token says, empty where that is no text."""
    token = token.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        said = base64.b64decode(token + "=" * (-len(token) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return fold(said, alike=True).text
