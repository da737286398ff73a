"""What a shop must not answer on its own: insults, people in distress, questions for a doctor or a lawyer."""

from __future__ import annotations

import re
from typing import Final

from shopkeeper.trust.phrases import Phrase, phrase

_BAD: Final = (
    r"(?:idiots?|morons?|imbeciles?|cretins?|stupid|dumb(?! (?:phones?|bells?|waiters?))|pathetic|worthless|useless|disgusting|(?:trash|garbage)(?! (?:cans?|bags?|bins?|chutes?|compactors?|disposals?|grabbers?))|scum|liars?|thie(?:f|ves)|crooks?"
    r"|pigs?(?! (?:ears?|toys?|plush))|losers?|clowns?(?! (?:costumes?|fish|noses?|wigs?))|jerks?(?! (?:seasoning|chicken|sauces?|spices?))|fools?|braindead|ugly(?! (?:sweaters?|jumpers?|christmas|ducklings?|dolls?)))"
)
_ALSO_GOODS: Final = r"(?:hoes?|puss(?:y|ies)|bastards?|dykes?)"
"""Insults only where somebody is called so: there are garden hoes, pussy willows, bastard files and dykes that cut wire."""
_CALLED: Final = r"(?<![a-z])(?:you|ur|u|your)(?:'?re| are| r)? (?:all |such |so |just |a |an |the |fucking |bunch of |complete |total |absolute |stupid |real |lying |dirty |cheap |little )*"

ABUSE: Final[tuple[Phrase, ...]] = (
    phrase(rf"{_CALLED}(?:{_BAD}|{_ALSO_GOODS}(?! (?:willows?|bows?|cats?|files?|swords?|cut)))(?![a-z])"),
    phrase(r"^\W{0,3}bastards?\W{0,5}$|(?<![a-z])bastards(?![a-z])|(?<![a-z])(?:fat|lying|stupid|dirty|cheap|greedy) bastard(?![a-z])"),
    phrase(
        r"(?<![a-z])(?:f+u+c+k+(?:ing?|e[rd]|s)?|motherf\w{2,8}|f\*+k\w{0,3}|bullshit|bitch(?:es|y|ing)?|assholes?|arseholes?|dumbass\w{0,2}|jackass\w{0,2}|cunts?|whores?|sluts?|dickheads?|wankers?"
        r"|retard(?:s|ed)?|fag(?:s|gots?)?|nigg(?:a|er)[sz]?|chinks?|spics?|kikes?|trann(?:y|ies)|douche\w{0,4}|piece of shit|shithead|stfu|gtfo|white trash)(?![a-z])"
    ),
    phrase(r"(?<![a-z])(?:shut up|go to hell|screw you|drop dead|go die|kill yourself|kys|i(?:'ll| will| am going to|'m going to) (?:kill|find|hurt|beat) (?:you|u))(?![a-z])"),
    phrase(
        "傻[逼比叉屄缺子]|煞笔|沙雕(?!图)|沙比|(?:[操艹肏]|(?<!除)草|(?<![生今节平假昨明每])日|(?<![饼烘晒吹风])干)你[妈马吗嘛](?!妈)|你妈的(?!生日|礼物|母亲节)|尼玛|(?<![给送跟和为帮替陪])他妈(?!妈|咪|的?(?:生日|礼物|母亲节)|喜欢|想|要|用|穿|住|今年|年纪|爱|也)|(?<!模)特么"
        "|(?<![妈我他她你咱给老干姑大舅宝姨奶爸亲后孩娃辣])妈的(?!生日|礼物|母亲节)|妈逼|狗日的|王八[蛋羔]?|混蛋|浑蛋|畜生|牲口(?!饲料|用|棚)|贱[人货种逼]|婊子?|脑残|脑瘫|智障|弱智|白痴|蠢[货猪驴逼]|废物(?!利用|箱|桶|袋|回收|处理)|人渣|败类|杂种"
        "|(?<![倒装扔丢放除捡收余湿干])垃圾(?!桶|袋|分类|箱|车|处理|篓|筒|夹|铲|架|盒|食品|短信|邮件)(?:客服|玩意|东西|人|国|货)?|滚(?:蛋|回|犊子)|(?<![水汤烧煮])滚开(?!水|后|的水|了)|滚出(?!来)|(?<!翻)滚吧|去死(?!皮|角|细胞|结)|死全家|不要脸(?!上|部|颊|霜|用)|不得好死"
        "|狗屁|狗腿子|(?<![小大给的])狗东西|黑鬼|(?<![肯丹托索])尼[哥格](?!尔|林|拉)|白皮猪|黑皮[猪狗鬼]|倭寇|小日本|(?<![米木铁钢竹糖冰面球长短根双])棒子(?!面|骨|鸡|糖|多)|阿三|(?<!一)支那|蛮夷|乡巴佬|娘炮|死基佬|(?:你|就是|贱|臭|骚)(?:个|条|只|们|群|这|是)*母狗(?!衣|裤|用|绝育|的|穿|生理)|公交车女|绿茶婊|圣母婊|骚货|荡妇"
        "|(?:你|你们|死|臭|打|女)(?:这|个|群|些|是|就)*拳师(?!犬)|女拳(?!击)|田园女权|蝈[蝻男]|蝻|直男癌|下头男|普信男|仙女(?:们)?(?:又|真)|屌丝|恶心(?:死|的|人|玩意)|智商(?:低|堪忧|为零)|没教养|(?<!是)不是人(?![工造棉民参字物体像形机家])|狗都不如|臭(?:不要|傻|婊|流氓|男人|女人)",
    ),
)  # fmt: skip

_NOT_BY_MISHAP: Final = (
    r"(?! (?:badly |slightly |really |pretty |quite |very )*(?:(?:on|with|by) (?:the|this|that|your|its|one of)|(?:while|when) (?:i )?(?:open|assembl|us|unpack|install|mount|cook|clean|chopp|cutt)\w{0,5}|opening|assembling|using|unpacking)(?![a-z])"
    r"(?!.{0,60}(?:every|again|purpose|feel|relie|depress|anymore|sad|numb|night)))"
)
"""Whoever cut themselves on a knife that the shop sent complains of the knife."""

SELF_HARM: Final[tuple[Phrase, ...]] = (
    phrase(
        rf"(?<![a-z])(?:(?:kill|cutting|hang|killing|hurting|harming|(?:to|will|'ll|gonna|wanna|should|keep|rather|want|about|let me) (?:hurt|harm|cut)) (?:myself|my self)|(?:hurt|harm|harmed|cut) (?:myself|my self){_NOT_BY_MISHAP}"
        r"|(?:want|wanna|going|wish(?:ed)?|like|ready|plan(?:ning)?|rather)(?: to| i (?:was|were))? (?:die|be dead|dead|not exist)|commit suicide|suicidal|(?:take|end|ending|taking) my (?:own )?life|end it all"
        r"|(?:don't|do not|no longer|can't|cannot) (?:want to |wanna )?(?:live|be alive|exist|go on living|be here) ?(?:any ?more|longer)?|(?:no|any) reason to (?:live|go on)|better off without me|self[- ]?harm(?:ing)?|overdose on|thinking (?:of|about) suicide|suicide"
        r"|(?:not|isn't|longer|life|life even|life really)(?: really)? worth living|(?:no|any|the|what) point (?:in|of|to) (?:living|life|being alive|going on|it all)|(?:tired|sick) of (?:living|life|being alive)|(?:had never been|was never|were never) born)(?![a-z])",
        unless=r"die for|die of (?:laugh|curiosity)|dead (?:sexy|gorgeous)|myself laughing|suicide squad|live without|live (?:here|there|in|with)|to die(?:,| laughing)|suicide doors?",
    ),
    phrase(
        "(?:不想活|不想再活|活不下去|活着(?:没|好累|太累|没有)意?[思义]?|活着(?:还|又)?有什么(?:意思|意义)|活得(?:好|太)累|没有?活(?:下去|着)的(?:意义|必要|理由|勇气)|人生没有?意[思义]|(?:想|不如|干脆|只求)(?:就)?一了百了|(?<![电量架子机池板灯])撑不下去|离开这个世界"
        "|想自杀|要自杀|去自杀|自杀|自残|自尽|轻生|寻短见|割腕|(?:结束|了结)(?:自己|我)?的?生命|了结自己|(?:想|要)(?:从[\u4e00-\u9fff]{0,4})?跳楼|想死|去死了算了|死了算了|一死了之|不如死了)",
        unless="想死(?:你|我|他|她|它|这|那|咱)|自杀(?:小队|式)|跳楼(?:价|大)|笑|(?:馋|美|爽|甜|香|乐)死",
    ),
)  # fmt: skip

_ASKED: Final = r"(?<![a-z])(?:can i|could i|should i|may i|is it (?:safe|ok|okay|dangerous)|are (?:these|they) safe|how (?:much|many|often)|what (?:should|can|do|dose|dosage|medicine|medication|is wrong)|which (?:medicine|medication|drug|pill)s?|do i have|will (?:it|this|that)|does (?:it|this|that)|can (?:it|this|that|you)|would (?:it|this)|am i)(?![a-z])"
_ILL: Final = r"(?<![a-z])(?:medications?|medicines?(?! (?:cabinet|ball|box|bag|chest))|dosages?|dose|prescri\w{2,6}|antibiotics?|ibuprofen|paracetamol|acetaminophen|aspirin|insulin|antidepressants?|blood (?:pressure|thinners?|sugar)|symptoms?|diagnos\w{1,4}|diseases?|infections?|infected|cancer|diabet\w{1,3}|epilep\w{1,3}|asthma|eczema|psoriasis|arthritis|migraines?|fever|rash(?:es)?|seizures?|chest pain|heart (?:attack|disease|condition)|miscarriage|depression|adhd|cure[sd]?(?! (?:in|under|at|time|fully|with uv))|heals?|treat (?:(?:my|a|the) )?(?:\w{2,9} )?(?:skin|acne|wounds?|burns?|pain|coughs?|colds?|flu|knees?|back|headaches?|allerg\w{1,4}|conditions?|wife|husband|child|baby|dog|cat)|side effects?|pills?(?! (?:box|boxes|organi[sz]ers?|cases?|dispensers?|removers?))|tablets? a day|painkillers?|allergic reaction|swallowed|poison\w{0,5})(?![a-z])"
_EXPECTING: Final = r"(?<![a-z])(?:while|when|if|during|since|being|as)(?: (?:i am|i'm|im|she is|she's|you are|you're|my wife is))? pregnan\w{1,3}(?![a-z])"

MEDICAL: Final[tuple[Phrase, ...]] = (
    phrase(_ASKED, _ILL, gap=70),
    phrase(r"(?<![a-z])(?:i have|i've got|my (?:\w{2,10} )?(?:has|have)|suffer(?:ing)? from|diagnosed with)(?![a-z])", _ILL, _ASKED, gap=60),
    phrase(_ASKED, _EXPECTING, gap=70),
    phrase(r"(?<![a-z])(?:safe|unsafe|harmful|dangerous|ok|okay) (?:for|in|during|to use (?:in|during)) (?:a |my )?pregnan\w{1,3}(?![a-z])"),
    phrase(r"(?<![a-z])(?:i am|i'm|im|she is|she's|wife is|girlfriend is|daughter is) (?:\w{1,9} (?:weeks|months) )?pregnant(?![a-z])",
           r"(?<![a-z])(?:(?:can|could|should|may) (?:i|she|we) (?:\w{2,9} )?(?:take|use|eat|drink|apply)|is (?:it|this|that) (?:safe|ok|okay))(?![a-z])", gap=60),
    phrase("(?:孕妇|孕期|怀孕|备孕|哺乳期)", "(?:(?:能|可以|可不可以|能不能|会不会|该不该)[^,。?!]{0,4}(?:吃|用|喝|服|涂|擦|抹|敷)|有害|有影响|安全吗)", gap=12),
    phrase("(?:能|可以)(?:给|让)(?:孕妇|怀孕的人)", "(?:吃|用|喝|服|涂|擦|抹|敷)", gap=4),
    phrase("(?:吃药|服药|用药|吃什么药|用什么药|剂量|药量|处方|抗生素|布洛芬|阿司匹林|头孢|降压药|胰岛素|发烧|高烧|胸痛|心脏病|高血压(?!计|仪)|糖尿病|癌症?|肿瘤|哮喘|湿疹|抑郁症?|癫痫|流产|过敏反应|中毒|感染|症状|确诊|疫苗|副作用|关节炎|偏头痛)",
           "(?:吗|么|怎么(?:办|治)|能不能|可不可以|是不是|该|多少|有没有效|治|\\?|要不要)", gap=20),
    phrase("(?:能|可以|会)(?:不能)?(?:治好?|治疗|根治|缓解|预防)", "(?:病|痛|炎|症|癌|失眠|感冒|发烧|过敏|湿疹)", gap=10),
    phrase("(?:怎么治|该吃什么|得了什么病|是什么病|要去医院|挂什么科|吃多少(?:片|粒|颗|毫克))"),
)  # fmt: skip

GIFT: Final = re.compile(r"(?<![a-z])(?:gifts?|presents?)(?![a-z])|礼物|送礼|送(?:给|什么|点|[他她妈爸老朋女男孕闺同])")
TREATED: Final = re.compile(
    r"(?<![a-z])(?:tak(?:e|ing)|dos(?:e|age)|cures?|treat(?:s|ing)?|safe|swallow(?:ed)?|symptoms?)(?![a-z])|吃|服用|治|剂量|副作用|安全|[能以]用|症状"
)
"""A gift for somebody who is ill or expecting is no question for a doctor, unless it is asked what it does to them."""

LEGAL: Final[tuple[Phrase, ...]] = (
    phrase(r"(?<![a-z])(?:(?:can|could|should|may|will|want to|going to|how (?:do|can) i|i'll|i will) (?:i )?(?:sue|press charges|take (?:you|them|him|her|this|it) to court|file (?:a )?(?:law)?suit)|legal (?:advice|action|rights?|claim)|is (?:it|this|that) (?:legal|illegal|against the law)|my rights (?:as|under)|what (?:does|is) the law|(?:call(?:ing)?|contact(?:ing)?|hir(?:e|ing)|consult(?:ing)?|(?:speak|talk|speaking|talking) (?:to|with)|hear(?:ing)? from|see|involve|get|need|through|via) (?:my |a |an |our |the )?(?:lawyers?|attorneys?|solicitors?)(?! (?:costumes?|outfits?|mugs?|gifts?|friends?|dolls?|bags?))|(?:my|our) (?:lawyers?|attorneys?|solicitors?) (?:will|is|are|says?|said|would|has|have|shall)|small claims|class action|sue (?:you|them|the (?:shop|seller|manufacturer|company))|legally (?:entitled|obliged|required|liable)|liable for|lawsuits?)(?![a-z])",
           unless=r"legal (?:pad|size|paper)|tattoo"),
    phrase("(?:起诉|打官司|(?:找|请|联系|咨询|通过|委托|问|叫)(?:个|一个|一位|我的|我们的)?律师(?!朋友|的?礼物)|律师(?:函|信|费|咨询|事务所|说|认为|会)|诉讼|法院(?!路|旁|附近|对面|门口)|法律(?:咨询|建议|途径|责任|依据|规定)|违法吗|合法吗|犯法|违不违法|劳动仲裁|仲裁委|消费者权益(?:保护)?法|告你们|去告|报案|立案|要负责任吗)"),
)  # fmt: skip
