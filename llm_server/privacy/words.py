"""Word lists of the finders, in small letters."""

# They end a name, or are none: "my name is not important", "call me later".
_NO_NAME = """
i a an the and but or so not no nobody nothing none im my me you he she it we they is am are was
were be been being have has had do does did would can could should might must in on at to of for
from by with about because since when while as if that this there here now later again back today
tomorrow tonight yesterday always never really very just only also too please thanks thank hi
hello hey what who why how which where stupid crazy lazy fat ugly names anything whatever
something someone then than hai है हूँ और y e et und ist es est mud dirt ok okay like out up over
maybe unimportant private important secret live living work feeling sad tired anxious depressed
english spanish french german
"""
# Names that are common words as well, and count only with a capital.
_ALSO_WORDS = """
will mark hope grace may june april august joy faith rose bill rob sue frank art pat drew chance
summer autumn dawn jack dean rich miles grant chase hunter mason carter cooper angel christian ray
guy gene gay dick harry jean iris violet daisy ivy lily olive heather amber ruby pearl crystal sky
star sunny melody harmony patience charity prudence constance max main rain river ash holly hazel
robin colt wade cliff glen heath brook lane bob penny poppy misty stormy destiny trinity precious
love king prince duke earl baron young long short white black brown green gray grey day winter
bush field hill stone wood woods english french german welsh good best price page bell ball bird
fox wolf fish pope bishop cook baker butler carpenter smith potter sharp strong wise noble sweet
moody little small large high low new old house rivers lake banks park parks church hall
"""
# "2 people on the road", "a 10 minute drive": no street is called after them.
_NO_STREET = """
the a an on in at of to by my our your his her their this that and or for from with off down up
out across away into people person times time minute minutes min mins hour hours day days week
weeks month months year years mile miles km block blocks car cars more long short other different
first second one two
"""
# "I'm Muslim", "I'm Bipolar": what people are, after which nobody is called in that place.
_I_AM = """
muslim christian jewish hindu sikh buddhist catholic atheist american british english irish
scottish welsh indian pakistani chinese japanese german french spanish italian polish russian
ukrainian mexican brazilian canadian australian african asian european latino latina black white
trans bi gay lesbian queer autistic bipolar adhd bpd ocd ptsd ok okay fine sorry not so very just
really always never still feeling tired sad
"""

NO_NAME = frozenset(_NO_NAME.split())
I_AM = frozenset(_I_AM.split())
ALSO_WORDS = frozenset(_ALSO_WORDS.split())
NO_STREET = frozenset(_NO_STREET.split())
