# troupe_layer(NAME [LINK lower layers and packages...]) makes a static library of the current folder's sources.
add_library(troupe_flags INTERFACE)
target_compile_options(troupe_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
target_include_directories(troupe_flags INTERFACE ${PROJECT_SOURCE_DIR})
if(TROUPE_SANITIZE)
  # With -fsanitize, g++ 12 takes what <regex> initialises for uninitialised.
  target_compile_options(troupe_flags INTERFACE -Wno-maybe-uninitialized)
  target_compile_options(troupe_flags INTERFACE -fsanitize=${TROUPE_SANITIZE} -fno-omit-frame-pointer)
  if(TROUPE_SANITIZE STREQUAL "thread")
    target_compile_options(troupe_flags INTERFACE -Wno-tsan)  # Asio has fences, which the sanitizer does not see.
  endif()
  target_link_options(troupe_flags INTERFACE -fsanitize=${TROUPE_SANITIZE})
endif()

function(troupe_layer name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources)
    add_library(troupe_${name} INTERFACE)
    target_link_libraries(troupe_${name} INTERFACE troupe_flags ${arg_LINK})
    return()
  endif()
  add_library(troupe_${name} STATIC ${sources})
  target_link_libraries(troupe_${name} PUBLIC troupe_flags ${arg_LINK})
endfunction()

# troupe_across_files(TARGET...): release builds optimise these libraries across their files, and link these programs
# so: an event of a back-test passes through many small functions of several. The libraries hold plain code, too, with
# which all other programs link faster. In one partition, since several take turns unless there is a make.
set(across_files OFF)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  set(across_files ON)
endif()

function(troupe_across_files)
  if(NOT across_files)
    return()
  endif()
  foreach(target ${ARGN})
    target_compile_options(${target} PRIVATE -flto=auto -ffat-lto-objects)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "EXECUTABLE")
      set_target_properties(${target} PROPERTIES ACROSS_FILES ON)
      target_link_options(${target} PRIVATE -flto=auto -flto-partition=none)
    else()
      target_link_options(${target} INTERFACE $<$<NOT:$<BOOL:$<TARGET_PROPERTY:ACROSS_FILES>>>:-fno-lto>)
    endif()
  endforeach()
endfunction()
